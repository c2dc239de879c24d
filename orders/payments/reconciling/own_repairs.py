"""Mending what our own ledgers disagree about: orders, books and stock. Nobody outside is asked."""

from django.db import transaction
from django.db.models import QuerySet

from orders import locks
from orders.errors import NothingToRefund
from orders.models import Order, StockItem
from orders.payments.journal import book_capture, book_refund
from orders.payments.models import AttemptState, Incident, PaymentAttempt, Refund, RefundState
from orders.payments.reconciling.books_checks import find_booked_wrongly
from orders.payments.reconciling.difference import Difference, NotRepaired
from orders.payments.reconciling.order_checks import find_not_refunded, find_order_differences
from orders.payments.reconciling.stock_checks import find_stock_differences, held
from orders.payments.refunds import end_as_refunded, request_refund
from orders.services import mark_paid, mark_payment_failed
from orders.states import Status


def look_at_order(incident: Incident) -> Difference | None:
    return next(find_order_differences(_orders(incident)), None)


def look_at_refund(incident: Incident) -> Difference | None:
    return next(find_not_refunded(_orders(incident)), None)


def look_at_books(incident: Incident) -> Difference | None:
    return next(find_booked_wrongly(incident.fingerprint), None)


def look_at_stock(incident: Incident) -> Difference | None:
    return next(find_stock_differences(StockItem.objects.filter(pk=_number(incident.fingerprint))), None)


def move_order(difference: Difference, actor: str) -> str:
    """Bring an order to where its payment says that it is."""
    with transaction.atomic():
        order = locks.lock_order(_number(difference.fingerprint))
        again = next(find_order_differences(Order.objects.filter(pk=order.pk)), None)
        if again is None or again.summary != difference.summary:
            raise NotRepaired("The order has moved meanwhile.")
        captured = order.payment_attempts.filter(state=AttemptState.SUCCEEDED).first()
        if order.status != Status.CHARGING:
            moved = end_as_refunded(order, actor=actor)
        elif captured is not None:
            moved = mark_paid(order, actor=actor, provider_ref=captured.provider_ref, via="reconciliation")
        else:
            reason = "The payment did not take place. Nothing was charged."
            moved = mark_payment_failed(order, reason, actor=actor, via="reconciliation")
        if not moved:
            raise NotRepaired("The order could not be moved.")
        return f"Order {order.pk} is {order.status}."


def refund_order(difference: Difference, actor: str) -> str:
    """Give everything back that was kept of an order that has ended."""
    with transaction.atomic():
        order = locks.lock_order(_number(difference.fingerprint))
        if next(find_not_refunded(Order.objects.filter(pk=order.pk)), None) is None:
            raise NotRepaired("There is nothing to give back any more.")
        try:
            refunds = request_refund(order, reason="The order has ended.", actor=actor)
        except NothingToRefund as refusal:
            raise NotRepaired(str(refusal)) from refusal
    return f"Asked for as refund {', '.join(str(refund.pk) for refund in refunds)}."


def book(difference: Difference, actor: str) -> str:  # noqa: ARG001  the incident says who
    """Enter what was captured, or given back, and is not in the books."""
    reference = difference.fingerprint
    with transaction.atomic():
        order = locks.lock_order(difference.order_id or 0)
        captured = PaymentAttempt.objects.filter(provider_ref=reference, state=AttemptState.SUCCEEDED).first()
        refund = Refund.objects.filter(provider_ref=reference, state=RefundState.SUCCEEDED).first()
        if captured is not None:
            booked = book_capture(order, reference, captured.amount, captured.currency)
        elif refund is not None:
            booked = book_refund(order, reference, refund.amount, refund.currency)
        else:
            booked = False
        if not booked:
            raise NotRepaired("It has an entry, or nothing to enter any more.")
    return f"{reference} is booked."


def count_stock(difference: Difference, actor: str) -> str:  # noqa: ARG001
    """Reserve what live orders hold. Whoever changes that has the row locked, and has committed when we have it."""
    with transaction.atomic():
        stock = locks.lock_stock(_number(difference.fingerprint))
        # Read by a statement of its own, after the lock: a statement sees what was committed before it began.
        wanted: int = held(StockItem.objects.filter(pk=stock.pk)).get().held
        if wanted > stock.on_hand:
            raise NotRepaired(
                f"Live orders hold {wanted}, and {stock.on_hand} are on hand: somebody must count."
            )
        before, stock.reserved = stock.reserved, wanted
        stock.save(update_fields=["reserved"])
    return f"{wanted} are reserved; it was {before}."


def _orders(incident: Incident) -> QuerySet[Order]:
    return Order.objects.filter(pk=_number(incident.fingerprint))


def _number(fingerprint: str) -> int:
    """The primary key in a fingerprint such as "order:42"."""
    return int(fingerprint.rpartition(":")[2])
