"""Pausing a queue with real workers: they let go of it, take it up again, and do not begin with it."""

from celery import chain

from proj.jobs import pausing
from proj.jobs.audit import Actor
from proj.jobs.models import Job, Worker
from tests.waiting import eventually
from tests.workers.conftest import dispatching
from tests.workers.probes import child, echo, until_free

ANN = Actor("ann", None, "admin")


def takes(name="w1") -> list[str] | None:
    """Return what a worker has last said that it takes."""
    return Worker.objects.filter(hostname=f"{name}@test").values_list("takes", flat=True).first()


def pause(queue="default"):
    assert pausing.pause(queue, by=ANN, reason="a test")


def resume(queue="default"):
    assert pausing.resume(queue, by=ANN)


def lying(shop, queue="default") -> int:
    """Count the messages that lie in Redis."""
    return sum(
        shop.redis.llen(f"{shop.prefix}{key}") for key in (queue, *(f"{queue}:{step}" for step in (3, 6, 9)))
    )


def test_a_worker_lets_go_of_a_queue_within_seconds_and_takes_it_up_again(bare_shop):
    worker = bare_shop.worker("w1", "default,bulk").wait_until_ready()
    assert echo.delay("before").get(timeout=30) == "before"

    pause()
    eventually(lambda: takes() == ["bulk"], seconds=10, why="the worker has not let go")
    held = [echo.delay(f"held {number}") for number in range(3)]
    assert child.delay("free").get(timeout=30) is None
    assert bare_shop.runs("held") == []
    assert worker.says("queue default is paused: let go")

    resume()
    with dispatching():
        assert [result.get(timeout=30) for result in held] == ["held 0", "held 1", "held 2"]
    eventually(lambda: takes() == ["bulk", "default"], seconds=10)


def test_a_message_that_is_in_redis_when_its_queue_is_paused_lies_there_until_it_is_resumed(bare_shop):
    jobs = [echo.delay(f"lies {number}") for number in range(3)]
    pause()
    bare_shop.worker("w1").wait_until_ready()
    eventually(lambda: takes() == [], seconds=10)

    assert lying(bare_shop) == 3
    assert bare_shop.runs("lies") == []

    resume()
    assert {result.get(timeout=30) for result in jobs} == {"lies 0", "lies 1", "lies 2"}
    assert lying(bare_shop) == 0


def test_a_worker_that_is_started_again_does_not_take_from_a_paused_queue(bare_shop):
    first = bare_shop.worker("w1").wait_until_ready()
    pause()
    eventually(lambda: takes() == [], seconds=10)
    first.kill()
    job = echo.delay("held")
    second = bare_shop.worker("w2").wait_until_ready()

    assert second.says("queue default is paused: not taken from")
    eventually(lambda: takes("w2") == [], seconds=10)
    assert bare_shop.runs("held") == []

    resume()
    with dispatching():
        assert job.get(timeout=30) == "held"


def test_what_runs_when_its_queue_is_paused_runs_to_its_end_and_its_chain_waits(bare_shop, tmp_path):
    bare_shop.worker("w1").wait_until_ready()
    gate = tmp_path / "gate"
    whole = chain(until_free.s("runs", str(gate)), echo.si("next")).delay()
    eventually(lambda: bare_shop.runs("runs"), why="the job did not begin")

    pause()
    gate.touch()
    assert whole.parent.get(timeout=30)
    eventually(lambda: takes() == [], seconds=10)
    assert Job.objects.get(pk=whole.id).state == "queued"
    assert bare_shop.runs("next") == []

    resume()
    with dispatching():
        assert whole.get(timeout=30) == "next"


def test_a_worker_that_does_not_hear_takes_the_messages_and_runs_none_of_them(bare_shop):
    """The negative control of the workers' part, while the ledger's part holds by itself."""
    jobs = [echo.delay(f"held {number}") for number in range(3)]
    pause()
    bare_shop.worker("deaf", app="tests.workers.deaf_app").wait_until_ready()

    eventually(lambda: lying(bare_shop) == 0, why="it has not taken them")
    eventually(lambda: not Job.objects.exclude(published_at=None).exists(), why="they were not marked")
    assert bare_shop.runs("held") == []

    resume()
    with dispatching():
        assert {result.get(timeout=30) for result in jobs} == {"held 0", "held 1", "held 2"}


def test_a_worker_says_that_it_is_there_and_that_it_ends(bare_shop):
    worker = bare_shop.worker("w1", "bulk,default", pool="threads", concurrency=3).wait_until_ready()

    row = eventually(lambda: Worker.objects.filter(hostname="w1@test").first())
    assert (row.queues, row.takes, row.pool, row.size) == (
        ["bulk", "default"],
        ["bulk", "default"],
        "thread",
        3,
    )
    again = Worker.objects.filter(hostname="w1@test", seen_at__gt=row.seen_at)
    eventually(again.exists, seconds=10, why="it has told only once")

    worker.stop()
    assert takes() is None
