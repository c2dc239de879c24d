"""People who order, upload pictures of themselves, and watch until they know how it ended."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from proj.demo.client import Customer
from proj.demo.sample import SampleOrder

AT_ONCE = 8  # people who click at the same moment: as many as the web server has threads per process
LOOKS_EVERY = (
    0.25  # seconds between two rounds of looking, AT_ONCE * 2 things each: watching must not be the load
)
REPEAT_EVERY = 10  # one in so many clicks twice: with the same key, so it must stay one order

ORDER_ENDS = {"completed", "rejected", "out_of_stock", "payment_failed", "cancelled", "refunded"}
AVATAR_ENDS = {"ready", "rejected", "superseded"}


@dataclass
class Watched:
    """Something that a customer asked for: ``asked`` is what, ``document`` what the shop last said about it."""

    customer: Customer
    asked: SampleOrder | Path
    document: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.document["status"])

    @property
    def is_order(self) -> bool:
        return isinstance(self.asked, SampleOrder)

    @property
    def has_ended(self) -> bool:
        return self.status in (ORDER_ENDS if self.is_order else AVATAR_ENDS)

    @property
    def began_at(self) -> datetime:
        return datetime.fromisoformat(self.document["placed_at" if self.is_order else "created_at"])

    @property
    def ended_at(self) -> datetime:
        """When its last change happened, by the shop's clock: for one that has ended, its end."""
        return datetime.fromisoformat(self.document["updated_at"])

    def look(self) -> None:
        """Ask the shop how it stands."""
        read = self.customer.read_order if self.is_order else self.customer.read_avatar
        self.document = read(str(self.document["id"]))


def ask_for_everything(
    customers: Sequence[Customer],
    orders: Sequence[SampleOrder],
    pictures: Sequence[Path],
    done: Callable[[Watched], None],
) -> list[Watched]:
    """Place the orders and upload the pictures, several at a time, in turn; ``done`` hears of each.

    Picture n is of customer n: two pictures of one person would replace each other.
    """

    def ask(turn: int) -> list[Watched]:
        customer = customers[turn % len(customers)]
        asked = [_order(customer, orders[turn], turn)] if turn < len(orders) else []
        asked += [_picture(customer, pictures[turn])] if turn < len(pictures) else []
        for watched in asked:
            done(watched)
        return asked

    with ThreadPoolExecutor(AT_ONCE) as people:
        turns = people.map(ask, range(max(len(orders), len(pictures))))
        return [watched for asked in turns for watched in asked]


def watch_to_the_end(
    everything: Sequence[Watched], seconds: float, ended: Callable[[Watched], None]
) -> list[Watched]:
    """Look at what has not ended, oldest first, for at most ``seconds``; ``ended`` hears of each that has.

    Returns what has not ended by then.
    """
    deadline = time.monotonic() + seconds
    waiting = deque(everything)
    with ThreadPoolExecutor(AT_ONCE) as people:
        while waiting and time.monotonic() < deadline:
            begun = time.monotonic()
            some = [waiting.popleft() for _ in range(min(len(waiting), AT_ONCE * 2))]
            list(people.map(Watched.look, some))
            for watched in some:
                if watched.has_ended:
                    ended(watched)
                else:
                    waiting.append(watched)
            time.sleep(max(0, begun + LOOKS_EVERY - time.monotonic()))
    return list(waiting)


def _order(customer: Customer, order: SampleOrder, turn: int) -> Watched:
    def click() -> dict[str, Any]:
        return customer.place_order(
            order.lines,
            express=order.express,
            payment_method=order.payment_method,
            key=f"invoice-{order.invoice}",
        )

    document = click()
    if turn % REPEAT_EVERY == 0:
        document = click()
    return Watched(customer, order, document)


def _picture(customer: Customer, picture: Path) -> Watched:
    return Watched(customer, picture, customer.upload_picture(picture))
