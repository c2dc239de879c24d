"""What tasks are given, say and return, where PostgreSQL or JSON takes less than Python."""

import logging
import math
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from celery import chain, states
from celery.result import AsyncResult
from django_celery_results.models import TaskResult

from proj.jobs.models import Job, State
from tests.jobs.inline import follow, raising, stored, the_job

UNPRINTABLE = "a\0b\ud800"
LEGIBLE = "a\N{REPLACEMENT CHARACTER}b?"


@pytest.fixture(autouse=True)
def _unlogged():
    """A test process hands its log on to another one, and ends if half a character is in it."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_an_error_that_postgresql_cannot_hold_is_buried_in_words_that_it_can(worker, bound):
    result = bound(raising(ValueError(UNPRINTABLE))).delay()

    worker.work()

    assert (the_job().state, the_job().error) == (State.DEAD, f"ValueError: {LEGIBLE}")
    assert result.state == states.FAILURE
    assert LEGIBLE in TaskResult.objects.get().traceback


def test_an_error_that_cannot_be_printed_is_buried(worker, bound):
    class Mute(Exception):  # noqa: N818
        def __str__(self):
            raise RuntimeError

    bound(raising(Mute())).delay()

    worker.work()

    assert the_job().state == State.DEAD


def test_progress_may_hold_what_json_in_postgresql_may_not(worker, bound):
    seen = []

    def body(self):
        self.update_state(state="LOSING", meta={"loss": math.nan, UNPRINTABLE: [UNPRINTABLE, "\\u0000"]})
        seen.append(AsyncResult(self.request.id).info)

    bound(body).delay()
    worker.work()

    assert seen == [{"loss": "NaN", LEGIBLE: [LEGIBLE, "\\u0000"]}]


def test_arguments_arrive_as_they_were_sent_whatever_is_in_them(worker, bound):
    sent = [
        UNPRINTABLE,
        2**80,
        datetime(2024, 2, 29, tzinfo=UTC),
        UUID(int=7),
        Decimal("1.10"),
        "x" * 5_000_000,
    ]
    received = []
    task = bound(lambda self, *args, **kwargs: received.extend([*args, *kwargs.values()]))

    task.delay(*sent, named=UNPRINTABLE)
    worker.work()

    assert received == [*sent, UNPRINTABLE]
    assert not Job.objects.exists()


def test_a_result_that_cannot_be_encoded_fails_the_task_and_leads_to_nothing(worker, bound):
    result = chain(bound(lambda self: object()).s(), follow.s()).delay()

    worker.work()

    assert the_job().pk == result.parent.id
    assert the_job().error.startswith("EncodeError: ")
    assert (stored(result.parent), stored(result)) == (states.FAILURE, states.FAILURE)


def test_a_result_that_nobody_wants_need_not_be_encoded(worker, bound):
    bound(lambda self: object(), ignore_result=True).delay()

    worker.work()

    assert not Job.objects.exists()
    assert not TaskResult.objects.exists()
