"""Beat's scheduler: the schedules are rows that admins edit, and nothing else writes them."""

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler


class AdminScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat is untyped
    """The DatabaseScheduler without the entry it installs by itself.

    It would write its own ``celery.backend_cleanup`` at every start, over whatever an admin has made of it. Ours is
    a line of :mod:`proj.schedule`, created when missing like the others.
    """

    def install_default_entries(self, data: Any) -> None:
        """Install nothing."""
