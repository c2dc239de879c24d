"""The whole flow of an order, as Celery canvas, in one place.

    placed     chain(validate, reserve_stock, charge)           a step that fails for good: abandon
    paid       chain(fulfil, group(notify_customer, record_sale))

The first part ends at the provider. The second starts in the transaction that marks the order as paid, however
we learn it. A step that is not the order's next one does nothing, so any part may be enqueued again at any time.

Tasks are named, not imported: they stand above the services, which call this module inside their transactions.
The messages leave on commit (`proj.jobs.amqp`).
"""

from typing import Final

from celery import chain, group, signature
from celery.canvas import Signature
from django.conf import settings

from orders.models import Order
from orders.states import FINAL, Status
from proj.queues import NORMAL, URGENT

#: What is left until payment, by status.
TO_PAYMENT: Final[dict[str, list[str]]] = {
    Status.PLACED: ["orders.validate_order", "orders.reserve_stock", "orders.charge_order"],
    Status.VALIDATED: ["orders.reserve_stock", "orders.charge_order"],
    Status.RESERVED: ["orders.charge_order"],
    Status.CHARGING: ["orders.charge_order"],  # asks again with the same key; never a second charge
}


def start(order: Order) -> None:
    """Enqueue everything from where the order is now to its payment."""
    remaining = chain(*(_step(name, order) for name in TO_PAYMENT[order.status]))
    remaining.on_error(_step("orders.abandon_order", order))
    remaining.apply_async()


def complete(order: Order) -> None:
    """Enqueue everything from payment to the end."""
    ends = group(_step("orders.notify_customer", order), _step("orders.record_sale", order))
    if order.status == Status.FULFILLED:
        ends.apply_async()
    else:
        chain(_step("orders.fulfil_order", order), ends).apply_async()


def resume(order: Order) -> None:
    """Enqueue whatever is left for this order; nothing, if it has ended."""
    if order.status in TO_PAYMENT:
        start(order)
    elif order.status not in FINAL:
        complete(order)


def lane(order: Order) -> int:
    """The priority of an order's messages; an urgent one is routed to the critical queue by `proj.queues`."""
    return URGENT if order.express or order.amount >= settings.ORDERS_URGENT_AMOUNT else NORMAL


def _step(name: str, order: Order) -> Signature:
    """One step as a message: immutable, because every step reads what it needs from the order itself."""
    return signature(name, args=(order.pk,), immutable=True, priority=lane(order))
