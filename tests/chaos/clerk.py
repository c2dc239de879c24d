"""Somebody of the staff who gives money back, and does not give up either."""

import random
import threading
import time

from django.db import Error, connection

from orders.errors import RefundRefused
from orders.models import Order
from orders.services import refund_order
from tests.chaos.crowd import ASK_AGAIN_AFTER, PATIENCE, Crowd

#: Of the amount of the order: a part, or all of it. A second one of all of it is refused, unless the first failed.
SHARES = (3, 2, 1)


class Clerk:
    """Gives some of the money of an order back, now and then.

    Args:
        crowd: whose orders.
        seed: of chance.

    """

    def __init__(self, crowd: Crowd, seed: int) -> None:
        self.crowd, self.chance = crowd, random.Random(seed)
        self.given_back: dict[str, int] = {}  # by the public id of the order, in the minor unit
        self.refused = 0

    def come(self, until: threading.Event, every: float) -> None:
        """Take an order every so many seconds; each at most once."""
        while not until.wait(every):
            there = [str(each.document["id"]) for each in self.crowd.asked if each.is_order]
            if there and (one := self.chance.choice(there)) not in self.given_back:
                self._give_back(one, self.chance.choice(SHARES))

    def _give_back(self, public_id: str, share: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                order = Order.objects.get(public_id=public_id)
                amount = order.amount // share
                refund_order(order.pk, amount, number=1, reason="It arrived broken.", actor="clerk")
            except RefundRefused:  # there is nothing to give back, or it goes back already
                self.refused += 1
                return
            except Error:
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(ASK_AGAIN_AFTER)
            else:
                self.given_back[public_id] = amount
                return
