import socket
import threading
import time

import pytest
from celery import chain, current_app, group, shared_task
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from proj.jobs.models import Job, State
from proj.jobs.task import JobTask

pytestmark = pytest.mark.django_db(transaction=True)


def send(queue="default", **options):
    current_app.send_task("tests.nothing", queue=queue, **options)


def test_outside_a_transaction_a_message_leaves_at_once(waiting):
    send()

    assert waiting("default") == 1


def test_inside_a_transaction_a_message_waits_for_the_commit(waiting):
    with transaction.atomic():
        send()
        assert waiting("default") == 0

    assert waiting("default") == 1


def test_a_message_of_a_transaction_that_is_rolled_back_never_leaves(waiting):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send()
        raise ZeroDivisionError

    assert waiting("default") == 0


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_messages(waiting):
    with transaction.atomic():
        send()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            send("io")
            raise ZeroDivisionError

    assert (waiting("default"), waiting("io")) == (1, 0)


def test_chains_and_groups_wait_for_the_commit_too(waiting):
    step = current_app.signature("celery.accumulate", args=(1,), immutable=True)

    with transaction.atomic():
        chain(step, step).apply_async(queue="default")
        group(step.set(queue="io"), step.set(queue="io")).apply_async()
        assert (waiting("default"), waiting("io")) == (0, 0)

    assert (waiting("default"), waiting("io")) == (1, 2)


@pytest.fixture
def black_hole(settings):
    """A broker that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield from _broker_at(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")


@pytest.fixture
def refused():
    """A broker that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield from _broker_at(f"redis://127.0.0.1:{port}/0")


def _broker_at(url):
    app = current_app._get_current_object()
    before = app.conf.broker_write_url
    app.conf.broker_write_url = url
    app._pool = app.amqp._producer_pool = None
    yield url
    app.conf.broker_write_url = before
    app._pool = app.amqp._producer_pool = None


@pytest.mark.parametrize("broker", ["black_hole", "refused"])
def test_a_broker_that_is_away_costs_a_request_less_than_two_seconds_and_no_error(broker, request):
    request.getfixturevalue(broker)
    began = time.monotonic()

    with transaction.atomic():
        send()

    assert time.monotonic() - began < 2


def test_outside_a_transaction_a_broker_that_is_away_costs_no_error_either(refused):
    send()

    job = Job.objects.get()
    assert (job.state, job.published_at) == (State.QUEUED, None)


def test_callers_that_hold_every_connection_of_the_pool_do_not_wait_for_one_more(waiting):
    callers = current_app.pool.limit
    all_hold_one = threading.Barrier(callers)

    def call():
        with current_app.producer_pool.acquire(block=True) as held:
            all_hold_one.wait()
            current_app.send_task("tests.nothing", queue="default", producer=held)
        connection.close()

    threads = [threading.Thread(target=call, daemon=True) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)
    assert waiting("default") == callers


@pytest.fixture
def expendable():
    """A task whose work may be lost."""

    @shared_task(
        base=JobTask, name="tests.expendable", queue="default", ledger=False, soft_time_limit=5, time_limit=10
    )
    def expendable():
        """Nothing."""

    yield expendable
    current_app.tasks.pop("tests.expendable")


def test_work_that_may_be_lost_is_published_and_not_recorded(waiting, expendable):
    expendable.delay()

    assert (waiting("default"), Job.objects.count()) == (1, 0)


def test_work_that_may_be_lost_leaves_on_commit_or_not_at_all(waiting, expendable):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        expendable.delay()
        raise ZeroDivisionError
    assert waiting("default") == 0

    with transaction.atomic():
        expendable.delay()
        assert waiting("default") == 0
    assert waiting("default") == 1


def test_a_broker_that_is_away_loses_such_work_and_nothing_else(refused, expendable):
    with transaction.atomic():
        expendable.delay()

    assert Job.objects.count() == 0
    with pytest.raises(OperationalError):
        expendable.delay()  # outside a transaction it is the caller's to know, as in stock Celery
