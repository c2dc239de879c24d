from collections.abc import Callable, Iterator

import pytest
from celery import current_app
from django.conf import settings
from redis import Redis

from proj.jobs import bell
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.scheduler import LedgerScheduler
from tests.jobs.inline import LIMITS, InlineWorker


@pytest.fixture
def worker(monkeypatch, transactional_db) -> InlineWorker:
    """A worker in this process; the bell is silent, because nobody else is to hear it."""
    monkeypatch.setattr(bell, "is_silent", lambda: True)
    return InlineWorker()


@pytest.fixture
def bound():
    """Define a bound task from a function, and forget it afterwards."""
    names = []

    def bound(body, **options):
        names.append(f"tests.bound.{len(names)}")
        body.__name__ = "body"  # Celery writes a def of that name
        app = current_app._get_current_object()
        return app._task_from_fun(body, name=names[-1], bind=True, **{**LIMITS, **options})

    yield bound
    for name in names:
        current_app.tasks.pop(name, None)


@pytest.fixture
def beat(waiting) -> Callable[[], LedgerScheduler]:
    """Return a function that starts a beat, with the broker empty."""
    return lambda: LedgerScheduler(current_app._get_current_object(), lazy=False)


@pytest.fixture
def dispatcher(waiting) -> Dispatcher:
    """A dispatcher, with the broker empty."""
    return Dispatcher(current_app._get_current_object())


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.CELERY_BROKER_URL) as client:
        yield client
