"""What goes wrong: faults of the provider, at the next request of a step, and webhooks as they should not come."""

import time
from collections.abc import Callable
from typing import Any, Final

from orders.models import Order
from tests.orders.payments.faults.steps import Step, cancel
from tests.orders.payments.faults.world import READ_TIMEOUT, World

THREE_DAYS = 3 * 24 * 3600  # for so long Stripe tries to deliver a webhook
#: Longer than we wait for an answer.
TOO_LONG = READ_TIMEOUT * 2.5


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
    in_order(world, order)


def _after_cancelling(world: World, order: Order) -> None:
    cancel(order)
    in_order(world, order)


def _beside_the_reply(world: World, order: Order) -> None:
    """One process looks into the webhook while another hears the reply."""
    in_order(world, order)
    world.hasten()
    world.finish(*(world.start("work", read_timeout=READ_TIMEOUT, queue="io") for _ in range(2)))


def in_order(world: World, order: Order) -> None:
    for event in world.events(order):
        world.deliver(event)


WEBHOOKS: Final[dict[str, Callable[[World, Order], None]]] = {
    "ten times": _ten_times,
    "reversed": _reversed,
    "3 days late": _late,
    "after cancelling": _after_cancelling,
    "beside the reply": _beside_the_reply,
}
