"""The shop's clerk: gives some customers their money back, while others are still ordering."""

from itertools import count

from orders.models import Order
from orders.services import refund_order
from orders.states import Status
from proj.demo.shoppers import Watched

# One completed order in so many gets money back; of these, every other one all of it and the rest a third.
GIVES_BACK_EVERY = 12
REASON = "It arrived broken."


class Clerk:
    """``given_back`` is the sum given back of each order, in minor units, by the order's public id."""

    def __init__(self) -> None:
        self.given_back: dict[str, int] = {}
        self._completed = count(1)

    def hears_of(self, ended: Watched) -> None:
        """Give money back if it is this order's turn."""
        if not ended.is_order or ended.status != Status.COMPLETED:
            return
        turn = next(self._completed)
        if turn % GIVES_BACK_EVERY == 0:
            everything = turn % (2 * GIVES_BACK_EVERY) == 0
            self._give_back(ended, everything=everything)

    def _give_back(self, ended: Watched, *, everything: bool) -> None:
        public_id, amount = str(ended.document["id"]), int(ended.document["amount"])
        part = amount if everything else amount // 3
        order = Order.objects.get(public_id=public_id)
        refund_order(order.pk, part, number=1, reason=REASON, actor="clerk")
        self.given_back[public_id] = part
