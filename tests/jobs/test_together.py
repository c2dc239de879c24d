"""What is sent together is recorded together: a group, the header of a chord."""

import pytest
from celery import current_app, group, shared_task
from django.db import transaction
from kombu.exceptions import EncodeError

from proj.jobs import amqp, ledger
from proj.jobs.models import Job

pytestmark = pytest.mark.django_db(transaction=True)


@shared_task(name="tests.together.nothing", queue="io", soft_time_limit=10, time_limit=20)
def nothing(word: object) -> None:
    """Do nothing."""


@pytest.fixture
def batches(monkeypatch) -> list[int]:
    """Count what each statement records."""
    sizes = []
    record = ledger.record

    def counted(entries):
        sizes.append(len(entries))
        return record(entries)

    monkeypatch.setattr(ledger, "record", counted)
    return sizes


def test_a_group_is_recorded_in_one_statement_and_rung_for_in_order(batches, waiting):
    result = group(nothing.s(i) for i in range(40)).delay()

    assert batches == [40]
    assert waiting("io") == 40
    assert list(Job.objects.order_by("available_at").values_list("pk", flat=True)) == [
        child.id for child in result.children
    ]


def test_a_large_group_is_recorded_in_parts(batches, waiting, monkeypatch):
    monkeypatch.setattr(amqp, "TOGETHER", 16)

    group(nothing.s(i) for i in range(40)).delay()

    assert batches == [16, 16, 8]
    assert waiting("io") == 40


def test_a_group_that_cannot_be_sent_whole_leaves_nothing(waiting):
    with pytest.raises(EncodeError):
        group(nothing.s(1), nothing.s(object())).delay()

    assert not Job.objects.exists()
    assert waiting("io") == 0


def test_a_group_in_a_transaction_that_is_rolled_back_leaves_nothing(waiting):
    with transaction.atomic():
        group(nothing.s(i) for i in range(3)).delay()
        transaction.set_rollback(True)

    assert not Job.objects.exists()
    assert waiting("io") == 0


def test_what_is_sent_in_a_transaction_of_its_own_is_recorded_in_that_transaction(waiting):
    with current_app.producer_or_acquire() as producer:
        nothing.apply_async((1,), producer=producer)
        with transaction.atomic():
            nothing.apply_async((2,), producer=producer)
            assert Job.objects.count() == 1

    assert Job.objects.count() == 2
    assert waiting("io") == 2


def test_an_id_that_is_sent_twice_together_is_owed_once(waiting):
    with current_app.producer_or_acquire() as producer:
        nothing.apply_async((1,), producer=producer, task_id="twice")
        nothing.apply_async((2,), producer=producer, task_id="twice")

    [job] = Job.objects.all()
    assert job.message["body"].startswith("[[1]")
    assert waiting("io") == 1
