import time

import pytest

from orders.payments import gate
from orders.payments.models import Provider
from proj.jobs.errors import Postponed
from tests.orders.payments.questions import answer, frozen, raising, state

__all__ = ["frozen", "state"]

pytestmark = pytest.mark.django_db


def test_a_question_is_asked_and_its_answer_returned(provider):
    assert gate.through(lambda gateway: gateway.retrieve("pi_unheard_of")) is None


def test_while_every_call_is_answered_the_gate_reads_one_row_and_writes_none(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert gate.through(answer) == "an answer"


def test_a_provider_without_a_row_gets_one(state):
    state.delete()
    assert gate.through(answer) == "an answer"
    assert Provider.objects.get().name == gate.NAME


def test_nothing_is_asked_while_payments_are_paused(state):
    Provider.objects.update(paused=True)
    with pytest.raises(Postponed, match="paused") as postponed:
        gate.through(raising(AssertionError("asked")))
    assert gate.PAUSED_FOR <= postponed.value.seconds <= 2 * gate.PAUSED_FOR


def test_whoever_waits_for_room_does_not_wait_for_staff(state):
    Provider.objects.update(paused=True)
    with pytest.raises(Postponed):
        gate.through(raising(AssertionError("asked")), wait=True)


def test_what_is_over_the_rate_is_postponed_until_there_is_room(state, frozen):
    Provider.objects.update(calls_per_second=1)
    gate.through(answer)
    with pytest.raises(Postponed, match="busy") as postponed:
        gate.through(raising(AssertionError("asked")))
    assert 0.5 < postponed.value.seconds <= 2


def test_a_rate_that_staff_change_holds_from_the_next_call_on(state, frozen):
    Provider.objects.update(calls_per_second=1)
    gate.through(answer)
    with pytest.raises(Postponed):
        gate.through(answer)
    Provider.objects.update(calls_per_second=3)
    gate.through(answer)
    gate.through(answer)
    with pytest.raises(Postponed):
        gate.through(answer)


def test_room_that_comes_soon_is_waited_for(state, monkeypatch):
    Provider.objects.update(calls_per_second=5)
    monkeypatch.setattr(gate, "PATIENCE", 2.0)
    began = time.monotonic()
    assert [gate.through(answer) for _ in range(6)] == ["an answer"] * 6
    assert 0.9 < time.monotonic() - began < 2


def test_somebody_at_a_terminal_may_wait_for_room(state):
    Provider.objects.update(calls_per_second=1)
    began = time.monotonic()
    assert [gate.through(answer, wait=True) for _ in range(3)] == ["an answer"] * 3
    assert time.monotonic() - began >= 1.9


def test_without_redis_calls_go_through(state, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    Provider.objects.update(calls_per_second=1)
    assert [gate.through(answer) for _ in range(3)] == ["an answer"] * 3
