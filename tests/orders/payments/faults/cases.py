"""Every fault, at every step of a payment, with a crash of our own at every point: what is done, and how it must end."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from django.db import transaction

from orders import pipeline, services
from orders.models import Order
from orders.payments.models import Refund
from orders.states import Status
from proj.jobs.testing import without_broker
from tests import ledgers
from tests.chaos import faults
from tests.factories import make_order, make_product, make_user
from tests.orders.payments.faults.world import READ_TIMEOUT, World

THREE_DAYS = 3 * 24 * 3600  # for so long Stripe tries to deliver a webhook
#: Longer than we wait for an answer.
TOO_LONG = READ_TIMEOUT * 2.5


class Case(NamedTuple):
    step: str
    fault: str
    crash: str = "none"  # the point at which the process that does the step is killed, once

    def __str__(self) -> str:
        return f"{self.step}-{self.fault}-{self.crash}".replace(" ", "_").replace(":", "_")


class Row(NamedTuple):
    """What became of one case: a row of the table."""

    case: Case
    asked: int  # requests to the provider from the fault on
    outcome: str
    seconds: float
    charges: int  # captured at the provider for the order
    refunds: int
    problems: list[str]


class Step(NamedTuple):
    """A step of a payment: ``paths`` are the requests that it makes, ``points`` where its processes may die."""

    paths: str
    points: tuple[str, ...]
    prepare: Callable[[World], Order]
    outcome: Status


# --- how each step is come to ------------------------------------------------------------------------------------------


def _reserved(_world: World) -> Order:
    """An order whose charge is the next job."""
    order = make_order({make_product(): 4}, status=Status.RESERVED, customer=make_user())
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
    _cancel(order)
    assert Refund.objects.open().filter(attempt__order=order).exists()
    return order


def _cancelled_while_unknown(world: World) -> Order:
    """An order that was charged without our having heard of it, and was cancelled since: it is looked up."""
    order = _asked_in_vain(world)
    _cancel(order)
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


def _cancel(order: Order) -> None:
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

# --- faults of the provider ---------------------------------------------------------------------------------------------


def _rule(name: str, **more: Any) -> Callable[[World, Step], None]:
    """Let the sandbox do something to the next request of the step."""

    def inject(world: World, step: Step) -> None:
        world.sandbox.set_faults([{"fault": name, "path": step.paths, "times": 1, **more}])

    return inject


def _too_slow(world: World, step: Step) -> None:
    """We do not wait for the answer, and the provider does what it was asked for all the same."""
    world.sandbox.set_faults([{"fault": "delay", "seconds": TOO_LONG, "path": step.paths, "times": 1}])
    world.work()
    time.sleep(TOO_LONG - READ_TIMEOUT)  # this delay is the fault


def _in_flight(world: World, step: Step) -> None:
    """The request is asked again while the provider is still busy with it, which is a 409."""
    world.sandbox.set_faults([{"fault": "delay", "seconds": TOO_LONG, "path": step.paths, "times": 1}])
    world.work()
    world.hasten()
    world.work()
    time.sleep(TOO_LONG - READ_TIMEOUT)


def _killed(world: World, step: Step) -> None:
    """The provider dies with the request in hand, and comes back with its books as they were on disk."""
    world.sandbox.set_faults([{"fault": "delay", "seconds": TOO_LONG, "path": step.paths, "times": 1}])
    before = world.asked()
    worker = world.start("work", read_timeout=TOO_LONG)
    world.poll(lambda: world.asked() > before or not worker.is_running())
    world.sandbox.kill()
    world.finish(worker)
    world.sandbox.start()


def _cancelled_meanwhile(world: World, step: Step) -> None:
    """The customer cancels while the provider is being asked."""
    before = world.asked()
    worker = world.start("work", read_timeout=READ_TIMEOUT, queue="io")
    world.poll(lambda: world.asked() > before or not worker.is_running())
    world.finish(world.start("cancel"), worker)


FAULTS: Final[dict[str, Callable[[World, Step], None]]] = {
    "none": lambda world, step: None,
    "request lost": _rule("drop_before"),
    "answer lost": _rule("drop_after"),
    "500 before": _rule("error_before"),
    "500 after": _rule("error_after"),
    "429": _rule("rate_limit"),
    "too slow": _too_slow,
    "409 in flight": _in_flight,
    "killed -9": _killed,
    "cancelled meanwhile": _cancelled_meanwhile,
}

#: A question that changes nothing has no key, so it cannot be in flight; what is cancelled cannot be cancelled again.
ONLY_AT: Final = {"409 in flight": ("charge", "refund"), "cancelled meanwhile": ("charge",)}
#: What ends otherwise than its step would.
REFUNDED: Final = ("after cancelling", "cancelled meanwhile")

# --- webhooks as they should not come -----------------------------------------------------------------------------------


def _ten_times(world: World, order: Order) -> None:
    for event in world.events(order):
        for _ in range(10):
            world.deliver(event)


def _reversed(world: World, order: Order) -> None:
    for event in reversed(world.events(order)):
        world.deliver(event)


def _late(world: World, order: Order) -> None:
    """Three days late: all has been found out without them."""
    world.settle()
    world.age(THREE_DAYS)
    world.skipped -= THREE_DAYS  # nobody has waited for them
    _in_order(world, order)


def _after_cancelling(world: World, order: Order) -> None:
    _cancel(order)
    _in_order(world, order)


def _beside_the_reply(world: World, order: Order) -> None:
    """One process looks into the webhook while another hears the reply."""
    _in_order(world, order)
    world.hasten()
    world.finish(*(world.start("work", read_timeout=READ_TIMEOUT, queue="io") for _ in range(2)))


def _in_order(world: World, order: Order) -> None:
    for event in world.events(order):
        world.deliver(event)


WEBHOOKS: Final[dict[str, Callable[[World, Order], None]]] = {
    "ten times": _ten_times,
    "reversed": _reversed,
    "3 days late": _late,
    "after cancelling": _after_cancelling,
    "beside the reply": _beside_the_reply,
}

# --- one case ---------------------------------------------------------------------------------------------------------


def perform(world: World, case: Case) -> Row:
    """Come to the step, let the fault happen, wait for the end, and judge it by the three ledgers."""
    step = STEPS[case.step]
    order = step.prepare(world)
    asked = world.asked()
    if case.crash != "none":
        faults.arm(world.folder, case.crash, "kill")
    if case.step == "webhook":
        WEBHOOKS.get(case.fault, _in_order)(world, order)
    if case.fault in FAULTS:
        FAULTS[case.fault](world, step)
    ended = world.settle()
    return judge(world, case, order, asked=world.asked() - asked, ended=ended)


def judge(world: World, case: Case, order: Order, *, asked: int, ended: bool) -> Row:
    order.refresh_from_db()
    problems = ledgers.differences(world.sandbox.books)
    if not ended:
        problems.insert(0, "it has not ended")
    expected = Status.REFUNDED if case.fault in REFUNDED else STEPS[case.step].outcome
    if order.status != expected:
        problems.append(f"it ended as {order.status}, not as {expected}")
    if any((world.folder / "armed").iterdir()):
        problems.append(f"nobody passed {case.crash}")
    there = ledgers.at_provider(world.sandbox.books)[str(order.public_id)]
    return Row(case, asked, order.status, world.seconds, len(there.captured), len(there.refunded), problems)


def all_cases() -> Iterator[Case]:
    """Every combination there is."""
    for name, step in STEPS.items():
        for fault, crash in itertools.product(FAULTS, ("none", *step.points)):
            if name in ONLY_AT.get(fault, STEPS):
                yield Case(name, fault, crash)
    for fault, crash in itertools.product(WEBHOOKS, ("none", *STEPS["webhook"].points)):
        yield Case("webhook", fault, crash)


def short_cases() -> Iterator[Case]:
    """Every fault at every step, and every crash at every point; of their combinations the worst."""
    for case in all_cases():
        if "none" in (case.fault, case.crash) or (
            case.fault == "answer lost" and case.crash.endswith("asked")
        ):
            yield case
