import threading
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from orders.payments import breaker, gate
from orders.payments.gateway import Declined, Misconfigured, Unavailable, Unknown
from orders.payments.models import Provider
from proj.jobs.errors import Postponed
from tests.orders.payments.questions import NOT_REACHED, answer, fail, frozen, raising, state
from tests.sandbox import KEY

__all__ = ["frozen", "state"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def down(state) -> Provider:
    """It is down, and may be probed now."""
    now = timezone.now()
    Provider.objects.update(failures=3, down_since=now, next_probe_at=now)
    state.refresh_from_db()
    return state


def test_after_so_many_calls_without_an_answer_nobody_asks(state, caplog, frozen):
    fail(2)
    assert caplog.records == []
    fail(1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    with pytest.raises(Postponed, match="does not answer") as postponed:
        gate.through(raising(AssertionError("asked")))
    assert 5 <= postponed.value.seconds <= 10
    state.refresh_from_db()
    assert (state.failures, state.last_error) == (3, "no connection")
    assert state.next_probe_at - state.down_since == timedelta(seconds=5)


def test_staff_may_say_after_how_many(state, frozen):
    Provider.objects.update(opens_after=1)
    fail(1)
    with pytest.raises(Postponed):
        gate.through(answer)


def test_being_turned_away_counts_as_no_answer(state, frozen):
    fail(3, Unavailable("429"))
    with pytest.raises(Postponed):
        gate.through(answer)


@pytest.mark.parametrize(
    "error",
    [Declined("card_declined", "No."), Misconfigured("no such key"), Unknown("in progress", answered=True)],
    ids=lambda error: type(error).__name__,
)
def test_whatever_the_answer_says_the_provider_is_well(state, error):
    fail(2)
    fail(1, error)
    state.refresh_from_db()
    assert (state.failures, state.last_error) == (0, "")
    fail(2)
    assert gate.through(answer) == "an answer"


def test_an_error_of_our_own_says_nothing_of_the_provider(state):
    fail(5, ZeroDivisionError("ours"))
    state.refresh_from_db()
    assert state.failures == 0


def test_a_text_that_the_database_cannot_hold_is_no_reason_to_fail(state):
    fail(1, Unknown("zero \0 byte " + "and long " * 100))
    state.refresh_from_db()
    assert state.last_error.startswith("zero  byte and long")


def test_a_probe_that_is_answered_closes_the_breaker(down, caplog):
    assert gate.through(answer) == "an answer"
    down.refresh_from_db()
    assert (down.failures, down.down_since, down.next_probe_at) == (0, None, None)
    assert timezone.now() - down.recovered_at < timedelta(seconds=5)
    assert "answers again" in caplog.text


def test_the_wait_doubles_with_each_probe_that_fails_up_to_a_minute(down, frozen):
    waits = []
    for _ in range(6):
        Provider.objects.update(next_probe_at=timezone.now())
        fail(1)
        down.refresh_from_db()
        waits.append(round((down.next_probe_at - timezone.now()).total_seconds()))
    assert waits == [10, 20, 40, 60, 60, 60]
    assert down.failures == 9


def test_while_a_probe_is_under_way_nobody_else_asks(down, frozen):
    def ask(gateway):
        with pytest.raises(Postponed):
            gate.through(raising(AssertionError("asked")))
        return "an answer"

    assert gate.through(ask) == "an answer"


def test_a_probe_whose_process_died_is_followed_by_another(down):
    fail(1, SystemExit())
    with pytest.raises(Postponed):
        gate.through(answer)
    with time_machine.travel(timezone.now() + breaker.PROBE_LASTS + timedelta(seconds=1)):
        assert gate.through(answer) == "an answer"


def test_an_answer_to_an_old_question_does_not_close_the_breaker(state, frozen):
    def ask(gateway):
        fail(2)
        return "at last"

    fail(1)
    assert gate.through(ask) == "at last"
    state.refresh_from_db()
    assert state.down_since is not None


def test_a_failure_of_an_old_question_does_not_put_off_the_probe(state, frozen):
    def ask(gateway):
        fail(3)
        raise NOT_REACHED

    with pytest.raises(Unknown):
        gate.through(ask)
    state.refresh_from_db()
    assert state.failures == 3
    assert state.next_probe_at - state.down_since == timedelta(seconds=5)


def test_the_rate_grows_gently_after_the_provider_is_back(state):
    now = timezone.now()
    paces = {}
    for seconds in (0, 10, 20, 30, 3600):
        state.recovered_at = now - timedelta(seconds=seconds)
        with time_machine.travel(now, tick=False):
            paces[seconds] = breaker.pace(state)
    assert paces == {0: 8, 10: 32, 20: 56, 30: 80, 3600: 80}


def test_even_a_slow_rate_begins_with_one_call(state):
    state.calls_per_second, state.recovered_at = 2, timezone.now()
    assert breaker.pace(state) == 1


def test_calls_are_let_through_at_the_gentle_rate(down, frozen):
    Provider.objects.update(calls_per_second=20)
    gate.through(answer)  # the probe, as one of the first two
    gate.through(answer)
    with pytest.raises(Postponed, match="busy"):
        gate.through(answer)


@pytest.mark.django_db(transaction=True)
def test_of_many_callers_at_once_one_is_the_probe(down, at_once):
    others_are_done = threading.Semaphore(0)
    probes = []

    def probe(gateway):
        probes.append(threading.get_ident())
        for _ in range(19):
            assert others_are_done.acquire(timeout=20)
        return "an answer"

    def call():
        try:
            return gate.through(probe)
        except Postponed as postponed:
            others_are_done.release()
            return postponed

    outcomes = at_once([call] * 20)
    assert len(probes) == 1
    assert [outcome for outcome in outcomes if not isinstance(outcome, Postponed)] == ["an answer"]


@pytest.mark.django_db(transaction=True)
def test_many_failures_at_once_open_the_breaker_once(state, at_once, caplog):
    outcomes = at_once([lambda: gate.through(raising(NOT_REACHED))] * 20)
    assert {type(outcome) for outcome in outcomes} <= {Unknown, Postponed}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    state.refresh_from_db()
    assert state.down_since is not None


def test_a_real_provider_that_dies_is_left_alone_and_found_again(state, sandbox, settings):
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = KEY, sandbox.url

    def look(gateway):
        return gateway.retrieve("pi_unheard_of")

    assert gate.through(look) is None
    sandbox.kill()
    for _ in range(3):
        with pytest.raises(Unknown):
            gate.through(look)
    with pytest.raises(Postponed):
        gate.through(look)
    sandbox.start()
    Provider.objects.update(next_probe_at=timezone.now())
    assert gate.through(look) is None
    state.refresh_from_db()
    assert (state.failures, state.down_since) == (0, None)
