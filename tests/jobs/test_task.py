import pickle

import pytest
from celery import current_app, shared_task

from proj.jobs.errors import RETRIED, Permanent, PoisonPill, Stopped, Transient
from proj.jobs.task import Duplicate, JobTask

LIMITS = {"soft_time_limit": 5, "time_limit": 10}


@pytest.fixture
def define():
    """Define a task on the project's app, and forget it afterwards."""
    names = []

    def define(**options):
        names.append(options.get("name", "tests.defined"))

        def body() -> None:
            """Nothing."""

        return current_app._get_current_object()._task_from_fun(body, **{"name": "tests.defined", **options})

    yield define
    for name in names:
        current_app.tasks.pop(name, None)


def test_every_task_of_the_project_is_a_job_task_with_limits_a_queue_and_a_docstring(settings):
    ours = {n: t for n, t in current_app.tasks.items() if n.split(".")[0] in {"orders", "media", "reports"}}
    queues = {queue.name for queue in settings.CELERY_TASK_QUEUES}

    assert len(ours) >= 12
    for name, task in ours.items():
        assert isinstance(task, JobTask), name
        assert task.home_queue in queues, name
        assert 0 < task.soft_time_limit < task.time_limit <= 900, name
        assert task.__doc__, name
        assert name == f"{task.__module__.split('.')[0]}.{task.__name__}", name


def test_a_misspelt_option_is_refused_with_the_right_spelling(define):
    with pytest.raises(
        TypeError,
        match=r"'tests.defined' has the unknown option 'ignore_results'; did you mean 'ignore_result'\?",
    ):
        define(queue="default", ignore_results=True, **LIMITS)


@pytest.mark.parametrize("missing", ["queue", "soft_time_limit", "time_limit"])
def test_a_task_must_say_its_queue_and_its_limits(define, missing):
    options = {"queue": "default", **LIMITS}
    del options[missing]

    with pytest.raises(TypeError, match=f"'tests.defined' must say {missing}"):
        define(**options)


def test_the_tasks_of_libraries_are_left_alone():
    assert "celery.backend_cleanup" in current_app.tasks


def test_only_transient_errors_and_a_database_that_is_away_are_retried():
    assert issubclass(Transient, RETRIED)
    assert not issubclass(Permanent, RETRIED)
    assert not issubclass(ValueError, RETRIED)


def test_a_retry_waits_longer_each_time_but_never_longer_than_the_cap(define, monkeypatch):
    task = define(queue="default", **LIMITS)
    ceilings = []
    monkeypatch.setattr(
        "celery.app.autoretry.get_exponential_backoff_interval",
        lambda factor, retries, maximum, full_jitter: (
            ceilings.append(min(maximum, factor * 2**retries)) or full_jitter
        ),
    )
    monkeypatch.setattr(task, "_orig_run", _fail)
    waits = []
    monkeypatch.setattr(
        task, "retry", lambda exc, countdown: waits.append(countdown) or RuntimeError("retried")
    )

    for attempt in range(11):
        task.push_request(retries=attempt)
        with pytest.raises(RuntimeError, match="retried"):
            task.run()
        task.pop_request()

    assert ceilings == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert waits == [True] * 11  # full jitter


def _fail():
    raise Transient


def test_progress_outside_a_worker_stores_nothing(define, monkeypatch):
    task = define(queue="default", **LIMITS)
    monkeypatch.setattr(task, "update_state", pytest.fail)

    task.progress(1, 2, "reading")


def test_shared_tasks_get_the_base_class_by_themselves():
    @shared_task(name="tests.shared", queue="io", **LIMITS)
    def shared() -> None:
        """Nothing."""

    assert isinstance(current_app.tasks["tests.shared"], JobTask)
    assert shared.home_queue == "io"
    current_app.tasks.pop("tests.shared")


@pytest.mark.parametrize("error", [Stopped(), Duplicate("x is not owed"), PoisonPill("three times")])
def test_what_ends_a_task_survives_the_way_to_the_workers_main_process(error):
    """One that did not would end the whole worker there."""
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), copy.args) == (type(error), error.args)
