"""Chains, groups and chords through the ledger: what a step leads to is recorded in the transaction that ends it."""

from datetime import timedelta

import pytest
from celery import chain, chord, current_app, group, shared_task, states
from celery.exceptions import ChordError
from celery.result import AsyncResult, allow_join_result
from celery.signals import before_task_publish
from django.utils import timezone
from django_celery_results.models import TaskResult

from proj.jobs import amqp, ledger, retention
from proj.jobs.models import Chord, ChordPart, Job, State
from tests.jobs.inline import LIMITS

broken = set()  # what `part` refuses
told = []  # what `errback` was told


@shared_task(name="tests.canvas.add", **LIMITS)
def add(x, y):
    """Add."""
    return x + y


@shared_task(name="tests.canvas.collect", **LIMITS)
def collect(parts):
    """Return what the header returned."""
    return parts


@shared_task(name="tests.canvas.part", **LIMITS)
def part(name):
    """Fail while broken."""
    if name in broken:
        raise ValueError(name)
    return name


@shared_task(name="tests.canvas.secret", ignore_result=True, **LIMITS)
def secret(value):
    """Return what is not stored."""
    return value


@shared_task(name="tests.canvas.errback", **LIMITS)
def errback(task_id):
    """Remember whose failure it was told."""
    told.append(task_id)


@shared_task(name="tests.canvas.replaced", bind=True, **LIMITS)
def replaced(self, replacement):
    """Let another signature take its place."""
    raise self.replace(current_app.signature(replacement))


@shared_task(name="tests.canvas.joins", bind=True, **LIMITS)
def joins(self, value):
    """Add one more task to the chord that it is in."""
    self.add_to_chord(part.si(f"{value}, and one more"))
    return value


@pytest.fixture(autouse=True)
def _forget():
    broken.clear()
    told.clear()


def read(result):
    with allow_join_result():
        return AsyncResult(result.id, parent=result.parent).get(timeout=0.5)  # a result remembers what it saw


def replay_dead():
    return ledger.replay(list(Job.objects.filter(state=State.DEAD).values_list("pk", flat=True)))


def test_a_chain_hands_on_its_results(worker):
    result = chain(add.s(1, 2), add.s(3), add.s(4)).delay()

    assert worker.work() == 3
    assert read(result) == 10
    assert not Job.objects.exists()


def test_a_step_that_stores_nothing_still_hands_on_its_result(worker):
    result = chain(add.s(1, 2), secret.s(), add.s(4)).delay()

    worker.work()

    assert read(result) == 7
    assert not TaskResult.objects.filter(task_id=result.parent.id).exists()


def test_a_step_that_is_delivered_twice_leads_to_one_next_step(worker):
    result = chain(add.s(1, 2), add.s(3)).delay()
    first = Job.objects.get()
    worker.deliver(first)

    worker.deliver(first)

    assert [job.pk for job in Job.objects.all()] == [result.id]
    assert worker.work() == 1
    assert read(result) == 6


def test_a_chain_goes_on_when_its_dead_step_is_replayed(worker):
    broken.add("first")
    result = chain(part.s("first"), collect.s()).on_error(errback.s()).delay()
    worker.work()
    assert (result.parent.state, result.state) == (states.FAILURE, states.FAILURE)
    assert told == [result.parent.id]

    broken.clear()
    assert replay_dead() == 1
    worker.work()

    assert [AsyncResult(step.id).get(timeout=0.5) for step in (result.parent, result)] == ["first", "first"]
    assert not Job.objects.exists()


def test_a_chord_gives_its_body_the_results_in_the_order_of_the_header(worker):
    result = chord([add.s(i, i) for i in range(5)], collect.s()).delay()

    worker.work()

    assert read(result) == [0, 2, 4, 6, 8]
    assert not Chord.objects.exists()
    assert not ChordPart.objects.exists()


def test_a_chord_of_groups_gives_its_body_lists_that_nest_like_the_groups(worker):
    ends_in_a_group = chain(
        add.s(1, 1), group(add.s(10), secret.s(), chain(add.s(20), group(add.s(1), add.s(2))))
    )

    result = chord([add.s(3, 4), ends_in_a_group], collect.s()).delay()
    worker.work()

    assert read(result) == [7, [12, 2, [23, 24]]]


def test_a_chord_in_a_header_counts_with_its_body(worker):
    inner = chord([part.s("a"), part.s("b")], collect.s())

    result = chord([inner, part.s("c")], collect.s()).delay()
    worker.work()

    assert read(result) == [["a", "b"], "c"]


def test_a_generated_header_is_sent_while_it_is_generated(worker, monkeypatch):
    monkeypatch.setattr(amqp, "TOGETHER", 1)
    recorded = []

    def header():
        for i in range(3):
            recorded.append(Job.objects.count())
            yield add.s(i, i)

    result = chord(header(), collect.s()).delay()
    worker.work()

    assert recorded[-1] > 0  # the last was generated when others were recorded
    assert read(result) == [0, 2, 4]


def test_a_task_can_join_the_chord_it_is_in(worker):
    result = chord([part.s("a"), joins.s("b")], collect.s()).delay()

    worker.work()

    assert sorted(read(result)) == ["a", "b", "b, and one more"]


def test_whoever_waits_for_a_failed_chord_is_told_the_error_of_its_header(worker):
    broken.add("b")
    result = chord([part.s("a"), part.s("b")], collect.s().on_error(errback.s())).delay()

    worker.work()

    with pytest.raises(ValueError, match="b"):
        read(result)
    failure = result.result
    assert isinstance(failure, ChordError)
    [failed] = Job.objects.filter(state=State.DEAD)
    assert str(failure) == f"Dependency {failed.pk} raised ValueError('b')"
    assert told == [result.id]


def test_the_body_of_a_failed_chord_runs_when_all_its_failed_parts_were_replayed(worker):
    broken.update({"b", "c"})
    result = chord([part.s("a"), part.s("b"), part.s("c")], collect.s().on_error(errback.s())).delay()
    worker.work()

    broken.remove("b")
    assert replay_dead() == 2
    worker.work()
    assert result.state == states.FAILURE
    broken.clear()
    assert replay_dead() == 1
    worker.work()

    assert read(result) == ["a", "b", "c"]
    assert told == [result.id]  # once
    assert not Chord.objects.exists()


def test_the_same_part_counts_once(worker):
    chord([part.s("a"), part.s("b")], collect.s()).delay()
    first, _ = Job.objects.order_by("created_at")
    worker.deliver(first)

    worker.deliver(first)

    assert Chord.objects.get().done == 1


def test_a_next_step_that_is_a_chord_is_opened_with_the_outcome_or_not_at_all(worker):
    chain(part.s("a"), chord([collect.s(), collect.s()], collect.s())).delay()
    job = Job.objects.get()

    def lose_the_claim(**_):
        Job.objects.filter(pk=job.pk).update(attempt=9)

    before_task_publish.connect(lose_the_claim)
    try:
        worker.deliver(job)
    finally:
        before_task_publish.disconnect(lose_the_claim)

    assert not Chord.objects.exists()
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("replacement", "expected"),
    [
        (add.si(1, 2), 3),
        (chain(add.si(1, 2), add.s(3)), 6),
        (group(add.si(1, 2), add.si(3, 4)), [3, 7]),
        (chord([add.si(1, 2), add.si(3, 4)], collect.s()), [3, 7]),
    ],
    ids=["task", "chain", "group", "chord"],
)
def test_whatever_replaces_a_task_answers_under_its_id_and_in_its_chain(worker, replacement, expected):
    result = chain(replaced.s(dict(replacement)), collect.s()).delay()

    worker.work()

    assert read(result.parent) == expected
    assert read(result) == expected
    assert not Job.objects.exists()


def test_old_chords_are_purged_with_their_parts(worker, settings):
    broken.add("b")
    chord([part.s("a"), part.s("b")], collect.s()).delay()
    worker.work()
    now = timezone.now() + settings.CELERY_RESULT_EXPIRES

    purge = retention.registered()["unfinished chords"]

    assert purge(10, now - timedelta(minutes=1)) == 0
    assert purge(10, now + timedelta(minutes=1)) == 1

    assert not Chord.objects.exists()
    assert not ChordPart.objects.exists()
