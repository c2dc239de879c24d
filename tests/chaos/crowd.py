"""Customers who do not give up: whatever the shop answers, they ask again until it says yes."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import requests

from proj.demo.client import Customer, ShopError
from proj.demo.sample import SampleOrder
from proj.demo.shoppers import Watched

ASK_AGAIN_AFTER = 0.5  # seconds
PATIENCE = 180.0  # seconds for one wish
PICTURE_EVERY = 8  # one in so many wishes is a picture
CANCEL_EVERY = 7  # one in so many is thought better of: at once, or while it is paid, or too late

Answer = TypeVar("Answer")


def insist(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer.

    Raises:
        ShopError: there was none for too long.

    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return ask()
        except (ShopError, requests.RequestException) as error:
            if time.monotonic() > deadline:
                raise ShopError(f"no answer for {PATIENCE} s: {error}") from error
            time.sleep(ASK_AGAIN_AFTER)


class Crowd:
    """Places orders, cancels some of them, and uploads pictures, at a steady pace, until it is told to stop.

    A picture is of a customer of its own: two of one person would replace each other.
    """

    def __init__(
        self, customers: Sequence[Customer], orders: Sequence[SampleOrder], pictures: Sequence[Path]
    ) -> None:
        self.customers = customers
        self.wishes: Iterator[int] = itertools.count()
        self.faces = iter(customers)
        self.orders, self.pictures = orders, pictures
        self.asked: list[Watched] = []
        self.cancelled: set[str] = set()  # public ids of the orders that the shop says are called off
        self.too_late = 0
        self.refusals: list[str] = []
        self.slowest = 0.0  # seconds that somebody waited for a yes

    def come(self, until: threading.Event, every: float) -> None:
        """Be one of the crowd: a wish every so many seconds."""
        while not until.wait(every):
            wish = next(self.wishes)
            began = time.monotonic()
            try:
                self.asked += self._ask(wish)
            except ShopError as error:
                self.refusals.append(str(error))
            self.slowest = max(self.slowest, time.monotonic() - began)

    def _ask(self, wish: int) -> list[Watched]:
        if wish % PICTURE_EVERY == 0:
            customer = next(self.faces, None)
            if customer is None:
                return []
            picture = self.pictures[wish % len(self.pictures)]
            return [Watched(customer, picture, insist(lambda: customer.upload_picture(picture)))]
        customer = self.customers[wish % len(self.customers)]
        order = self.orders[wish % len(self.orders)]

        def place() -> dict[str, Any]:
            return customer.place_order(
                order.lines, express=order.express, payment_method=order.payment_method, key=f"wish-{wish}"
            )

        document = insist(place)
        if wish % 10 == 0:
            document = insist(place)  # a double click
        if wish % CANCEL_EVERY == 0:
            time.sleep(wish // CANCEL_EVERY % 4 / 4)  # so that some of them are being charged
            self._cancel(customer, str(document["id"]))
        return [Watched(customer, order, document)]

    def _cancel(self, customer: Customer, order_id: str) -> None:
        def cancel() -> bool:
            try:
                customer._call("POST", f"/api/v1/orders/{order_id}/cancel", expected=202)
            except ShopError as error:
                if ": 409 " in str(error):
                    return False
                raise
            return True

        if insist(cancel):
            self.cancelled.add(order_id)
        else:
            self.too_late += 1
