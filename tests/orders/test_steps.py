import pytest
from django.db import OperationalError

from orders import tasks
from orders.models import OrderStep
from orders.models.journal import OrderStepQuerySet
from orders.states import Status
from orders.subjects import find_order
from proj.jobs import subjects
from proj.jobs.errors import Permanent, Transient
from tests.factories import make_order

pytestmark = pytest.mark.django_db


def step_of(order, name="reserve_stock") -> OrderStep:
    return OrderStep.objects.get(order=order, name=name)


def test_a_task_that_runs_through_writes_its_step():
    order = make_order(status=Status.VALIDATED)

    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    running = step_of(order)
    tasks.reserve_stock.on_success("reserved", "job-1", [order.pk], {})
    done = step_of(order)

    assert (running.state, running.attempt, running.task_id, running.finished_at) == (
        "running",
        1,
        "job-1",
        None,
    )
    assert (done.state, done.attempt, done.error) == ("succeeded", 1, "")
    assert order.placed_at < done.started_at < done.finished_at
    assert OrderStep.objects.filter(state="queued").count() == 5


def test_a_task_that_is_tried_again_counts_its_attempts_and_keeps_when_it_began():
    order = make_order(status=Status.VALIDATED)

    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    tasks.reserve_stock.on_retry(Transient("gone"), "job-1", [order.pk], {}, None)
    waiting = step_of(order)
    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    again = step_of(order)

    assert (waiting.state, waiting.attempt, waiting.error) == ("retrying", 1, "gone")
    assert (again.state, again.attempt, again.error) == ("running", 2, "")
    assert again.started_at == waiting.started_at


def test_a_task_that_fails_says_why_and_may_run_again():
    order = make_order(status=Status.VALIDATED)

    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    tasks.reserve_stock.on_failure(Permanent("No such card."), "job-1", [order.pk], {}, None)
    failed = step_of(order)
    tasks.reserve_stock.before_start("job-2", [order.pk], {})

    assert (failed.state, failed.error) == ("failed", "No such card.")
    assert failed.finished_at is not None
    assert (step_of(order).state, step_of(order).task_id) == ("running", "job-2")


def test_a_late_copy_of_a_message_leaves_a_finished_step_as_it_is():
    order = make_order(status=Status.VALIDATED)
    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    tasks.reserve_stock.on_success("reserved", "job-1", [order.pk], {})
    before = OrderStep.objects.values().get(name="reserve_stock")

    tasks.reserve_stock.before_start("job-2", [order.pk], {})
    tasks.reserve_stock.on_failure(KeyError("sku"), "job-2", [order.pk], {}, None)

    assert OrderStep.objects.values().get(name="reserve_stock") == before


def test_a_message_for_an_order_that_has_ended_leaves_its_steps_as_they_are():
    order = make_order(status=Status.CANCELLED)
    before = list(order.steps.values())

    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    tasks.reserve_stock.on_success("cancelled", "job-1", [order.pk], {})

    assert list(order.steps.values()) == before


def test_the_step_that_ends_the_order_stays_failed_with_the_reason():
    order = make_order(status=Status.VALIDATED)

    tasks.reserve_stock.before_start("job-1", [order.pk], {})
    order.transition_to(Status.OUT_OF_STOCK, actor="system", reason="None left.")
    tasks.reserve_stock.on_success("out_of_stock", "job-1", [order.pk], {})

    assert (step_of(order).state, step_of(order).error) == ("failed", "None left.")
    assert step_of(order, "charge").state == "cancelled"


def test_the_step_that_completes_the_order_is_still_written():
    order = make_order(status=Status.FULFILLED)

    tasks.record_sale.before_start("job-1", [order.pk], {})
    tasks.notify_customer(order.pk)
    assert tasks.record_sale(order.pk) == "completed"
    tasks.record_sale.on_success("completed", "job-1", [order.pk], {})

    assert step_of(order, "record_sale").state == "succeeded"


def test_a_timeline_that_cannot_be_written_does_not_stop_the_step(monkeypatch, caplog):
    order = make_order()

    def fail(self, **values):
        raise OperationalError("the database is restarting")

    monkeypatch.setattr(OrderStepQuerySet, "update", fail)

    tasks.validate_order.before_start("job-1", [order.pk], {})

    assert [record.message for record in caplog.records] == [
        "step validate: its timeline could not be written"
    ]


def test_a_task_leads_to_its_order_and_the_orders_owner():
    order = make_order()
    tasks.validate_order.before_start("job-1", [order.pk], {})

    assert subjects.find("job-1") == (
        f"order:{order.pk}",
        order.customer_id,
        f"/orders/{order.public_id}/",
        f"/admin/orders/order/{order.pk}/change/",
    )
    assert find_order("job-2") is None
    assert find_order("") is None


def test_of_an_error_that_was_not_written_for_people_only_the_kind_is_shown():
    order = make_order()
    tasks.validate_order.before_start("job-1", [order.pk], {})

    tasks.validate_order.on_failure(
        OperationalError("host db-7.internal is away"), "job-1", [order.pk], {}, None
    )

    assert step_of(order, "validate").error == "OperationalError"
