"""Every fault, at every step of a payment, with a crash of our own at every point: what is done, and how it must end."""

import itertools
from collections.abc import Iterator
from typing import Final, NamedTuple

from orders.models import Order
from orders.states import Status
from tests import ledgers
from tests.chaos import faults
from tests.orders.payments.faults.injections import FAULTS, WEBHOOKS, in_order
from tests.orders.payments.faults.steps import STEPS
from tests.orders.payments.faults.world import World

#: A question that changes nothing has no key, so it cannot be in flight; what is cancelled cannot be cancelled again.
ONLY_AT: Final = {"409 in flight": ("charge", "refund"), "cancelled meanwhile": ("charge",)}
#: What ends otherwise than its step would.
REFUNDED: Final = ("after cancelling", "cancelled meanwhile")


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


def perform(world: World, case: Case) -> Row:
    """Come to the step, let the fault happen, wait for the end, and judge it by the three ledgers."""
    step = STEPS[case.step]
    order = step.prepare(world)
    asked = world.asked()
    if case.crash != "none":
        faults.arm(world.folder, case.crash, "kill")
    if case.step == "webhook":
        WEBHOOKS.get(case.fault, in_order)(world, order)
    if case.fault in FAULTS:
        FAULTS[case.fault](world, step)
    ended = world.settle()
    return judge(world, case, order, asked=world.asked() - asked, ended=ended)


def judge(world: World, case: Case, order: Order, *, asked: int, ended: bool) -> Row:
    order.refresh_from_db()
    problems = ledgers.differences(world.sandbox.books)
    if not ended:
        problems.insert(0, "it has not ended")
    expected = _expected(case)
    if order.status != expected:
        problems.append(f"it ended as {order.status}, not as {expected}")
    if any((world.folder / "armed").iterdir()):
        if case.fault == "none":
            problems.append(f"nobody passed {case.crash}")
        case = case._replace(crash=f"{case.crash} (not passed)")  # the fault led another way
    there = ledgers.at_provider(world.sandbox.books)[str(order.public_id)]
    return Row(case, asked, order.status, world.seconds, len(there.captured), len(there.refunded), problems)


def _expected(case: Case) -> Status:
    if case == Case("charge", "cancelled meanwhile", "payment:begun"):
        return Status.CANCELLED  # nobody has asked for the money, and nobody will
    return Status.REFUNDED if case.fault in REFUNDED else STEPS[case.step].outcome


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
