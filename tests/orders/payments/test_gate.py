import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
import time_machine
from django.utils import timezone

from orders.payments import breaker, gate
from orders.payments.gateway import Declined, Misconfigured, Unavailable, Unknown
from orders.payments.models import Provider
from proj.jobs.errors import Postponed
from tests.sandbox import KEY

pytestmark = pytest.mark.django_db

NOT_REACHED = Unknown("no connection")


def raising(error: Exception):
    """A question whose answer is this error."""

    def ask(gateway):
        raise error

    return ask


def fail(times: int, error: Exception = NOT_REACHED) -> None:
    for _ in range(times):
        with pytest.raises(type(error)):
            gate.through(raising(error))


def answer(gateway) -> str:
    return "an answer"


@pytest.fixture(autouse=True)
def stripe(monkeypatch) -> Provider:
    """A provider that nobody has called in the last second; it counts as down after three calls."""
    monkeypatch.setattr(gate, "NAME", f"stripe-{uuid4().hex[:20]}")
    return Provider.objects.create(name=gate.NAME, opens_after=3)


@pytest.fixture
def down(stripe) -> Provider:
    """It is down, and may be probed now."""
    now = timezone.now()
    Provider.objects.update(failures=3, down_since=now, next_probe_at=now)
    stripe.refresh_from_db()
    return stripe


def test_a_question_is_asked_and_its_answer_returned(provider):
    assert gate.through(lambda gateway: gateway.retrieve("pi_unheard_of")) is None


def test_while_every_call_is_answered_the_gate_reads_one_row_and_writes_none(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert gate.through(answer) == "an answer"


def test_a_provider_without_a_row_gets_one(stripe):
    stripe.delete()
    assert gate.through(answer) == "an answer"
    assert Provider.objects.get().name == gate.NAME


def test_nothing_is_asked_while_payments_are_paused(stripe):
    Provider.objects.update(paused=True)
    with pytest.raises(Postponed, match="paused") as postponed:
        gate.through(raising(AssertionError("asked")))
    assert gate.PAUSED_FOR <= postponed.value.seconds <= 2 * gate.PAUSED_FOR


def test_whoever_waits_for_room_does_not_wait_for_staff(stripe):
    Provider.objects.update(paused=True)
    with pytest.raises(Postponed):
        gate.through(raising(AssertionError("asked")), wait=True)


def test_what_is_over_the_rate_is_postponed_until_there_is_room(stripe):
    Provider.objects.update(calls_per_second=1)
    gate.through(answer)
    with pytest.raises(Postponed, match="busy") as postponed:
        gate.through(raising(AssertionError("asked")))
    assert 0.5 < postponed.value.seconds <= 2


def test_a_rate_that_staff_change_holds_from_the_next_call_on(stripe):
    Provider.objects.update(calls_per_second=1)
    gate.through(answer)
    with pytest.raises(Postponed):
        gate.through(answer)
    Provider.objects.update(calls_per_second=3)
    gate.through(answer)
    gate.through(answer)
    with pytest.raises(Postponed):
        gate.through(answer)


def test_room_that_comes_soon_is_waited_for(stripe, monkeypatch):
    Provider.objects.update(calls_per_second=5)
    monkeypatch.setattr(gate, "PATIENCE", 2.0)
    began = time.monotonic()
    assert [gate.through(answer) for _ in range(6)] == ["an answer"] * 6
    assert 0.9 < time.monotonic() - began < 2


def test_somebody_at_a_terminal_may_wait_for_room(stripe):
    Provider.objects.update(calls_per_second=1)
    began = time.monotonic()
    assert [gate.through(answer, wait=True) for _ in range(3)] == ["an answer"] * 3
    assert time.monotonic() - began >= 1.9


def test_without_redis_calls_go_through(stripe, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    Provider.objects.update(calls_per_second=1)
    assert [gate.through(answer) for _ in range(3)] == ["an answer"] * 3


def test_after_so_many_calls_without_an_answer_nobody_asks(stripe, caplog):
    fail(2)
    assert caplog.records == []
    fail(1)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    with pytest.raises(Postponed, match="does not answer") as postponed:
        gate.through(raising(AssertionError("asked")))
    assert 4 < postponed.value.seconds <= 10
    stripe.refresh_from_db()
    assert (stripe.failures, stripe.last_error) == (3, "no connection")
    assert stripe.next_probe_at - stripe.down_since == timedelta(seconds=5)


def test_staff_may_say_after_how_many(stripe):
    Provider.objects.update(opens_after=1)
    fail(1)
    with pytest.raises(Postponed):
        gate.through(answer)


def test_being_turned_away_counts_as_no_answer(stripe):
    fail(3, Unavailable("429"))
    with pytest.raises(Postponed):
        gate.through(answer)


@pytest.mark.parametrize(
    "error",
    [Declined("card_declined", "No."), Misconfigured("no such key"), Unknown("in progress", answered=True)],
    ids=lambda error: type(error).__name__,
)
def test_whatever_the_answer_says_the_provider_is_well(stripe, error):
    fail(2)
    fail(1, error)
    stripe.refresh_from_db()
    assert (stripe.failures, stripe.last_error) == (0, "")
    fail(2)
    assert gate.through(answer) == "an answer"


def test_an_error_of_our_own_says_nothing_of_the_provider(stripe):
    fail(5, ZeroDivisionError("ours"))
    stripe.refresh_from_db()
    assert stripe.failures == 0


def test_a_text_that_the_database_cannot_hold_is_no_reason_to_fail(stripe):
    fail(1, Unknown("zero \0 byte " + "and long " * 100))
    stripe.refresh_from_db()
    assert stripe.last_error.startswith("zero  byte and long")


def test_a_probe_that_is_answered_closes_the_breaker(down, caplog):
    assert gate.through(answer) == "an answer"
    down.refresh_from_db()
    assert (down.failures, down.down_since, down.next_probe_at) == (0, None, None)
    assert timezone.now() - down.recovered_at < timedelta(seconds=5)
    assert "answers again" in caplog.text


def test_the_wait_doubles_with_each_probe_that_fails_up_to_a_minute(down):
    waits = []
    for _ in range(6):
        Provider.objects.update(next_probe_at=timezone.now())
        fail(1)
        down.refresh_from_db()
        waits.append(round((down.next_probe_at - timezone.now()).total_seconds()))
    assert waits == [10, 20, 40, 60, 60, 60]
    assert down.failures == 9


def test_while_a_probe_is_under_way_nobody_else_asks(down):
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


def test_an_answer_to_an_old_question_does_not_close_the_breaker(stripe):
    def ask(gateway):
        fail(3)
        return "at last"

    assert gate.through(ask) == "at last"
    stripe.refresh_from_db()
    assert stripe.down_since is not None


def test_a_failure_of_an_old_question_does_not_put_off_the_probe(stripe):
    def ask(gateway):
        fail(3)
        raise NOT_REACHED

    with pytest.raises(Unknown):
        gate.through(ask)
    stripe.refresh_from_db()
    assert stripe.failures == 3
    assert stripe.next_probe_at - stripe.down_since == timedelta(seconds=5)


def test_the_rate_grows_gently_after_the_provider_is_back(stripe):
    now = timezone.now()
    paces = {}
    for seconds in (0, 10, 20, 30, 3600):
        stripe.recovered_at = now - timedelta(seconds=seconds)
        with time_machine.travel(now, tick=False):
            paces[seconds] = breaker.pace(stripe)
    assert paces == {0: 8, 10: 32, 20: 56, 30: 80, 3600: 80}


def test_even_a_slow_rate_begins_with_one_call(stripe):
    stripe.calls_per_second, stripe.recovered_at = 2, timezone.now()
    assert breaker.pace(stripe) == 1


def test_calls_are_let_through_at_the_gentle_rate(down):
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
def test_many_failures_at_once_open_the_breaker_once(stripe, at_once, caplog):
    outcomes = at_once([lambda: gate.through(raising(NOT_REACHED))] * 20)
    assert {type(outcome) for outcome in outcomes} <= {Unknown, Postponed}
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    stripe.refresh_from_db()
    assert stripe.down_since is not None


def test_a_real_provider_that_dies_is_left_alone_and_found_again(stripe, sandbox, settings):
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
    stripe.refresh_from_db()
    assert (stripe.failures, stripe.down_since) == (0, None)
