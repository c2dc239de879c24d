from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class JobsConfig(AppConfig):
    name = "proj.jobs"
    label = "jobs"
    verbose_name = "background jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        connection_created.connect(keep_claim, dispatch_uid="proj.jobs.keep_claim")
        from proj.api.idempotency import purge_answers  # noqa: PLC0415

        # schedule_admin takes the place of django-celery-beat's own, which has registered itself by now.
        from proj.jobs import (  # noqa: PLC0415
            attendance,
            checks,  # noqa: F401
            chords,
            retention,
            schedule_admin,  # noqa: F401
            schedules,
            subjects,
            throughput,
        )

        subjects.register("schedule", schedules.resolve)
        retention.register("unfinished chords", chords.purge)
        retention.register("skipped slots", schedules.purge_skipped_slots)
        retention.register("throughput", throughput.purge)
        retention.register("answers kept for idempotency keys", purge_answers)
        retention.register("workers that are gone", attendance.purge)


def keep_claim(**_: Any) -> None:
    """Say that a running job is still alive, from the database connection that has just replaced its old one."""
    from proj.jobs import ledger  # noqa: PLC0415  models are not ready when this module is imported

    claim = ledger.current_claim()
    if claim is not None and not claim.over:
        ledger.reassert(claim)
