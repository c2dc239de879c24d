import pytest
from celery import current_app

from proj.jobs import bell
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
