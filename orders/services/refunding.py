from typing import NamedTuple

from django.db import transaction

from orders import locks
from orders.errors import RefundOutdated
from orders.payments.models import Refund
from orders.payments.refunds import request_refund


class AskedFor(NamedTuple):
    refund: Refund
    created: bool  # False: the same had been asked for before


def refund_order(order_id: int, amount: int, *, number: int, reason: str, actor: str) -> AskedFor:
    """Ask for an order's refund number `number` (1 for its first): asked for twice, it is the same refund.

    The number is what whoever asks has seen: two clicks carry the same, so the second finds what the first has asked
    for; and so does somebody else who saw the same, and wants something else of it.

    Args:
        order_id: whose money goes back.
        amount: in the minor unit of the order's currency.
        number: one more than the refunds that the order had when somebody looked.
        reason: why, for the customer and for us.
        actor: the username of who wants it.

    Raises:
        RefundRefused: with the reason for people; nothing is stored. RefundOutdated, if another refund took the number.

    """
    with transaction.atomic():
        order = locks.lock_order(order_id)
        there = list(Refund.objects.filter(attempt__order=order).order_by("pk"))
        if number == len(there) + 1:
            return AskedFor(request_refund(order, amount, reason=reason, actor=actor)[0], created=True)
        asked = there[number - 1] if 1 <= number <= len(there) else None
        if asked is None or (asked.amount, asked.reason, asked.requested_by) != (amount, reason, actor):
            raise RefundOutdated
        return AskedFor(asked, created=False)
