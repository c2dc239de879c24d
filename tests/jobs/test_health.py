import pytest

from proj.jobs import health
from proj.queues import PURPOSES


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch):
    monkeypatch.setattr(health, "consumers", health.Consumers())


def test_healthz_asks_nobody(client):
    response = client.get("/healthz")

    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_names_the_queues_that_nobody_consumes(client, monkeypatch):
    monkeypatch.setattr(health.consumers, "queues", lambda: {"critical", "default", "io", "hooks"})

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {
        "ready": False,
        "checks": {"database": "ok", "broker": "ok", "consumers": "no worker consumes bulk, compute"},
    }


@pytest.mark.django_db
def test_readyz_is_200_when_everything_is_there(client, monkeypatch):
    monkeypatch.setattr(health.consumers, "queues", lambda: set(PURPOSES))

    response = client.get("/readyz")

    assert (response.status_code, response.json()["ready"]) == (200, True)
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_readyz_tells_the_kind_of_a_failure_and_no_more(client, monkeypatch):
    def broken():
        raise OSError("password of the database")

    monkeypatch.setitem(health.CHECKS, "database", broken)

    response = client.get("/readyz")

    assert response.json()["checks"]["database"] == "OSError"
    assert b"password" not in response.content


@pytest.mark.django_db
def test_no_worker_at_all_is_an_answer_not_an_error():
    with pytest.raises(LookupError, match="no worker consumes bulk, compute, critical, default, hooks, io"):
        health.check_consumers()


def test_a_worker_that_misses_one_answer_has_not_gone(monkeypatch):
    clock = [100.0]
    answers = [{"w": [{"name": "io"}]}, None, None, None]
    monkeypatch.setattr(health.time, "monotonic", lambda: clock[0])
    inspect = type("Inspect", (), {"active_queues": lambda self: answers.pop(0)})
    monkeypatch.setattr(health.current_app.control, "inspect", lambda timeout: inspect())

    def after(seconds):
        clock[0] += seconds
        return health.consumers.queues()

    assert after(0) == {"io"}
    assert after(4) == {"io"}
    assert len(answers) == 3  # not asked again so soon
    assert after(2) == {"io"}
    assert after(8) == {"io"}
    assert after(6) == set()
