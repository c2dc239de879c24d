"""What can differ about money that came in. Each check looks at one payment and knows one kind of difference."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from orders.models import Order
from orders.money import format_money
from orders.payments.gateway import Payment
from orders.payments.models import AttemptState, IncidentKind, PaymentAttempt
from orders.payments.reconciling.captures import Capture
from orders.payments.reconciling.difference import Difference
from orders.states import Status

Check = Callable[[Capture], Difference | None]

#: The order ended without the goods: money for it goes back.
ENDED_UNPAID: Final = frozenset(
    {Status.CANCELLED, Status.PAYMENT_FAILED, Status.REJECTED, Status.OUT_OF_STOCK, Status.REFUNDED}
)


def find_stray(capture: Capture) -> Difference | None:
    """Captured with the name of an order that we do not have. Nobody repairs that without knowing how it came about: it
    may be an order lost with a database, or a shop that uses the account of another one.
    """
    if capture.captured is None or capture.order is not None or not capture.is_ours:
        return None
    payment = _of(capture)
    if payment.refunded >= payment.amount:
        return None
    return Difference(
        IncidentKind.STRAY_CAPTURE,
        payment.reference,
        f"{format_money(*capture.captured)} was captured as {payment.reference} for order {payment.order}, "
        "which we do not have.",
        detail=both_sides(capture),
    )


def find_second(capture: Capture) -> Difference | None:
    """Captured for an order whose captured payment is another one."""
    attempt, order = capture.attempt, capture.order
    if capture.captured is None or attempt is None or order is None or capture.is_of_attempt:
        return None
    if attempt.state != AttemptState.SUCCEEDED or _of(capture).refunded >= capture.captured[0]:
        return None
    reference = _of(capture).reference
    left = capture.captured[0] - _of(capture).refunded
    return Difference(
        IncidentKind.CAPTURED_TWICE,
        reference,
        f"{format_money(*capture.captured)} was captured as {reference} for order {order.pk}, which had been paid by "
        f"{attempt.provider_ref}.",
        order.pk,
        f"Give {format_money(left, capture.captured[1])} of {reference} back.",
        both_sides(capture),
    )


def find_other_amount(capture: Capture) -> Difference | None:
    """Captured, but not what was asked for. Who owes whom is for people to say."""
    attempt = capture.attempt
    if capture.captured is None or attempt is None or not capture.is_of_attempt:
        return None
    asked = attempt.amount, attempt.currency
    if capture.captured == asked:
        return None
    return Difference(
        IncidentKind.AMOUNT_DIFFERS,
        _of(capture).reference,
        f"{format_money(*capture.captured)} was captured as {_of(capture).reference} for order {attempt.order_id}, of "
        f"which {format_money(*asked)} was asked for.",
        attempt.order_id,
        detail=both_sides(capture),
    )


def find_unsettled(capture: Capture) -> Difference | None:
    """Captured, and we do not know it."""
    order = capture.order
    if capture.captured is None or order is None or capture.settled is not None:
        return None
    attempt = capture.attempt
    if attempt is not None and attempt.state == AttemptState.SUCCEEDED:
        return None  # a second one, given back
    here = f"the attempt is {attempt.state}" if attempt is not None else "there is no attempt"
    return Difference(
        IncidentKind.CAPTURE_UNSETTLED,
        _of(capture).reference,
        f"{format_money(*capture.captured)} was captured as {_of(capture).reference} for order {order.pk}, which is "
        f"{order.status}; here {here}.",
        order.pk,
        _settling(order) if attempt is not None else "",
        both_sides(capture),
    )


def find_missing(capture: Capture) -> Difference | None:
    """Paid here, and the provider does not have the money. Only people know whether the provider, the account that we
    asked, or our own row is wrong; with the wrong account every payment would look like this.
    """
    attempt = capture.attempt
    if attempt is None or capture.settled is None or capture.captured is not None:
        return None
    there = f"it is {capture.payment.status}" if capture.payment is not None else "it is not known"
    return Difference(
        IncidentKind.CAPTURE_MISSING,
        attempt.provider_ref or f"attempt:{attempt.pk}",
        f"Order {attempt.order_id} was paid with {format_money(*capture.settled)} by "
        f"{attempt.provider_ref or 'a payment without an id'}; at the provider {there}.",
        attempt.order_id,
        detail=both_sides(capture),
    )


#: In this order: of one payment, the first that is found is reported.
CHECKS: Sequence[Check] = (find_stray, find_second, find_other_amount, find_unsettled, find_missing)


def check(capture: Capture) -> Difference | None:
    return next((found for each in CHECKS if (found := each(capture)) is not None), None)


def both_sides(capture: Capture) -> dict[str, Any]:
    """What was read, for the people who look at the incident."""
    return {
        "provider": _describe_payment(capture.payment),
        "here": _describe_attempt(capture.attempt, capture.order),
        "books": {"amount": capture.booked[0], "currency": capture.booked[1]} if capture.booked else None,
    }


def _of(capture: Capture) -> Payment:
    assert capture.payment is not None  # noqa: S101  what is captured is a payment
    return capture.payment


def _settling(order: Order) -> str:
    if order.status in ENDED_UNPAID:
        return f"Settle it, and give the money back: the order is {order.status}."
    return "Settle it: the order is paid, and goes on."


def _describe_payment(payment: Payment | None) -> dict[str, Any] | None:
    if payment is None:
        return None
    return {
        "payment": payment.reference,
        "status": str(payment.status),
        "amount": payment.amount,
        "currency": payment.currency,
        "order": payment.order,
        "created": payment.created_at.isoformat() if payment.created_at else None,
    }


def _describe_attempt(attempt: PaymentAttempt | None, order: Order | None) -> dict[str, Any] | None:
    here: dict[str, Any] = {"order": order.pk, "status": order.status} if order is not None else {}
    if attempt is not None:
        here |= {
            "attempt": attempt.pk,
            "state": attempt.state,
            "payment": attempt.provider_ref,
            "amount": attempt.amount,
            "currency": attempt.currency,
            "refunded": attempt.refunded,
        }
    return here or None
