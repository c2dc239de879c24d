"""What every test gets: folders of its own, cheap passwords, an empty broker when it asks for one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from celery import current_app

from proj.jobs import bell
from tests.browser.skipping import pytest_terminal_summary as pytest_terminal_summary


@pytest.fixture(autouse=True)
def files(settings, tmp_path: Path) -> Path:
    """Keep every stored file in the test's own folder; return it."""
    settings.STORAGES = {
        name: {**storage, "OPTIONS": {**storage["OPTIONS"], "location": tmp_path / name}}
        if "OPTIONS" in storage
        else {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
        for name, storage in settings.STORAGES.items()
    }
    # Static files are looked for when asked for, and where they are written: there is no build of them.
    settings.WHITENOISE_AUTOREFRESH = True
    settings.WHITENOISE_USE_FINDERS = True
    return tmp_path


@pytest.fixture(autouse=True)
def _cheap_passwords(settings) -> None:
    """Nobody guesses the passwords of these people: do not spend 0.2 s on each."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _nobody_has_found_the_broker_away(monkeypatch) -> None:
    """Forget the trouble of another test: for some seconds after it, this process would not publish."""
    monkeypatch.setattr(bell, "_quiet_until", 0.0)
    monkeypatch.setattr(bell, "_away", False)


@pytest.fixture
def waiting(settings) -> Callable[[str], int]:
    """Empty the broker; return a function that counts the messages waiting in a queue."""
    with current_app.connection_for_read() as connection:
        channel = connection.default_channel
        for queue in settings.CELERY_TASK_QUEUES:
            queue(channel).declare()
            channel.queue_purge(queue.name)
        yield channel._size
        for queue in settings.CELERY_TASK_QUEUES:
            channel.queue_purge(queue.name)
