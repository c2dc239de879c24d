import pytest
from celery import current_app, shared_task
from django.core.checks import Tags, registry, run_checks
from django.core.management import call_command
from django.db import OperationalError
from django_celery_results.backends import DatabaseBackend

from proj.jobs import checks, poolers
from proj.jobs.poolers import Pooling, looks_like_pgbouncer, pooling_of

LIMITS = {"soft_time_limit": 5, "time_limit": 10}


@pytest.fixture
def conf(monkeypatch):
    """Change one of Celery's settings for a test."""
    return lambda name, value: monkeypatch.setitem(current_app.conf, name, value)


@pytest.fixture
def define():
    """Define a task on the project's app, and forget it afterwards."""
    names = []

    def define(name, **options):
        names.append(name)
        return shared_task(name=name, **{"queue": "default", **LIMITS, **options})(_nothing)

    yield define
    for name in names:
        current_app.tasks.pop(name, None)


def _nothing() -> None:
    """Nothing."""


def ids(messages):
    return [message.id for message in messages]


def test_the_project_passes_its_own_checks(db):
    assert run_checks(tags=["jobs"], databases=["default"]) == []


def test_every_check_is_registered():
    ours = {
        check.__name__ for check in registry.registry.get_checks() if check.__module__ == "proj.jobs.checks"
    }

    assert ours == {name for name in vars(checks) if name.startswith("check_")}


def test_a_check_that_asks_the_server_runs_only_when_that_is_asked_for():
    assert Tags.database in checks.check_pooling.tags
    assert checks.check_pooling(None, databases=None) == []


def test_another_result_backend_is_an_error(monkeypatch):
    monkeypatch.setattr(current_app._local, "backend", DatabaseBackend(app=current_app), raising=False)

    [error] = checks.check_result_backend(None)

    assert error.id == "jobs.E001"
    assert error.is_serious()
    assert error.msg.startswith("The result backend is DatabaseBackend:")
    assert "proj.jobs.backend.LedgerBackend" in error.hint


def test_early_acknowledgement_is_told_for_the_tasks_that_have_it(define):
    define("tests.early", acks_late=False)
    define("tests.may_be_lost", acks_late=False, ledger=False)

    [warning] = checks.check_late_acknowledgement(None)

    assert (warning.id, warning.msg) == (
        "jobs.W002",
        "Messages are acknowledged before their jobs are done: tests.early.",
    )


def test_of_many_tasks_five_are_named(define):
    for number in range(7):
        define(f"tests.early_{number}", acks_late=False)

    [warning] = checks.check_late_acknowledgement(None)

    assert warning.msg.endswith(
        "tests.early_0, tests.early_1, tests.early_2, tests.early_3, tests.early_4 and 2 more."
    )


def test_a_visibility_timeout_that_a_task_may_outlast_is_told(define, conf):
    conf("broker_transport_options", {"visibility_timeout": 5000, "ack_emulation": True})
    define("tests.long", time_limit=5000)
    define("tests.just_shorter", time_limit=4999)

    [warning] = checks.check_visibility_timeout(None)

    assert (warning.id, warning.msg) == (
        "jobs.W003",
        "The visibility timeout of 5000 s is not longer than the hard time limit of: tests.long.",
    )


def test_a_broker_without_a_visibility_timeout_needs_none(define, monkeypatch):
    define("tests.long", time_limit=5000)
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://localhost")

    assert checks.check_visibility_timeout(None) == []


def test_a_task_whose_queue_nobody_has_declared_is_an_error(define):
    define("tests.nowhere", queue="nowhere")

    [error] = checks.check_queues(None)

    assert (error.id, error.is_serious()) == ("jobs.E004", True)
    assert error.msg.startswith("tests.nowhere goes to ")
    assert "Known are bulk, compute, critical, default, hooks, io." in error.hint


@pytest.mark.parametrize("pool", ["threads", "solo", "gevent", "eventlet"])
def test_a_pool_that_ends_no_hanging_task_is_told(conf, pool):
    conf("worker_pool", pool)

    [warning] = checks.check_pool(None)

    assert (warning.id, warning.msg) == (
        "jobs.W005",
        f"Workers run in the pool {pool!r}, which enforces no hard time limit.",
    )


@pytest.mark.parametrize(
    ("configured", "why"),
    [
        ({"PORT": 5432}, None),
        ({"PORT": ""}, None),
        ({"PORT": 6432}, "port 6432"),
        ({"PORT": "6432"}, "port 6432"),
        ({"PORT": 5432, "DISABLE_SERVER_SIDE_CURSORS": True}, "DISABLE_SERVER_SIDE_CURSORS is set"),
    ],
)
def test_settings_made_for_a_pgbouncer_are_recognised(configured, why):
    assert looks_like_pgbouncer(configured) == why


def test_settings_made_for_a_pgbouncer_are_told(monkeypatch):
    monkeypatch.setattr(checks, "looks_like_pgbouncer", lambda settings: "port 6432")

    [warning] = checks.check_pgbouncer_settings(None)

    assert (warning.id, warning.msg) == (
        "jobs.W006",
        "The database 'default' looks like a transaction-pooling PgBouncer: port 6432.",
    )
    assert "pg_backend_pid" in warning.hint
    assert "pool_mode = session" in warning.hint


def test_a_database_without_a_pooler_is_seen_to_have_none(db):
    assert pooling_of("default") == Pooling(is_shared=False, is_proxied=False)


def test_two_clients_with_one_backend_are_seen(db, monkeypatch):
    monkeypatch.setattr(poolers, "_backend_pid", lambda connection: connection.ensure_connection() or 7)

    assert pooling_of("default") == Pooling(is_shared=True, is_proxied=True)


@pytest.mark.parametrize(
    ("pooling", "id_", "says"),
    [
        (
            Pooling(is_shared=True, is_proxied=True),
            "jobs.E007",
            "serves two open connections with one backend",
        ),
        (Pooling(is_shared=False, is_proxied=True), "jobs.W008", "There is a pooler in front of"),
    ],
)
def test_what_the_server_shows_is_told(monkeypatch, pooling, id_, says):
    monkeypatch.setattr(checks, "pooling_of", lambda alias: pooling)

    [message] = checks.check_pooling(None, databases=["default"])

    assert message.id == id_
    assert says in message.msg
    assert "set free while they still run" in message.hint


def test_a_database_that_is_away_says_so_by_itself(monkeypatch):
    def away(alias):
        raise OperationalError("refused")

    monkeypatch.setattr(checks, "pooling_of", away)

    assert checks.check_pooling(None, databases=["default"]) == []


def test_manage_py_check_runs_them(db, capsys):
    call_command("check", databases=["default"])

    assert "no issues" in capsys.readouterr().out
