"""The steps of a payment, and how a world comes to the moment before each."""

from collections.abc import Callable
from typing import Final, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction

from orders import pipeline, services
from orders.models import Order
from orders.payments.models import Refund
from orders.states import Status
from proj.jobs.testing import without_broker
from tests.factories import make_order, make_product
from tests.orders.payments.faults.world import World


class Step(NamedTuple):
    """A step of a payment: ``paths`` are the requests that it makes, ``points`` where its processes may die."""

    paths: str
    points: tuple[str, ...]
    prepare: Callable[[World], Order]
    outcome: Status


def _reserved(_world: World) -> Order:
    """An order whose charge is the next job."""
    customer, _ = User.objects.get_or_create(username="ann", email="ann@example.com")
    order = make_order({make_product(): 4}, status=Status.RESERVED, customer=customer)
    with transaction.atomic(), without_broker():
        pipeline.start(order)
    return order


def make_paid(world: World) -> Order:
    """An order that has been paid, and nothing since."""
    order = _reserved(world)
    world.work(queue="io")
    return order


def _cancelled_after_payment(world: World) -> Order:
    """An order whose refund is the next job."""
    order = make_paid(world)
    cancel(order)
    assert Refund.objects.open().filter(attempt__order=order).exists()
    return order


def _cancelled_while_unknown(world: World) -> Order:
    """An order that was charged without our having heard of it, and was cancelled since: it is looked up."""
    order = _asked_in_vain(world)
    cancel(order)
    return order


def _asked_in_vain(world: World) -> Order:
    """An order that was charged without our having heard of it."""
    order = _reserved(world)
    world.sandbox.set_faults(
        [{"fault": "drop_after", "path": STEPS["charge"].paths}]
    )  # however often it is asked
    world.work(queue="io")
    world.sandbox.set_faults([])
    return order


def cancel(order: Order) -> None:
    with without_broker():
        services.cancel_order(order.pk, actor="boss", reason="Ordered by mistake.")


STEPS: Final = {
    "charge": Step(
        "^/v1/payment_intents$",
        ("payment:begun", "payment:asked", "payment:settled"),
        _reserved,
        Status.COMPLETED,
    ),
    "refund": Step(
        "^/v1/refunds$",
        ("refund:begun", "refund:asked", "refund:settled"),
        _cancelled_after_payment,
        Status.REFUNDED,
    ),
    "look-up": Step("^/v1/", ("payment:settled",), _cancelled_while_unknown, Status.REFUNDED),
    "webhook": Step(
        "^/v1/",
        ("event:stored", "event:fetched", "payment:settled"),
        _asked_in_vain,
        Status.COMPLETED,
    ),
}
