"""What becomes of an event: what it is about is fetched, found among what is ours, and settled as it is there.

The event itself is believed in one thing only: that it is worth a look.
"""

from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from orders.models import Order
from orders.money import format_money
from orders.payments import kinds
from orders.payments.gate import through
from orders.payments.gateway import Payment, RefundReceipt, RefundStatus
from orders.payments.incidents import open_incident
from orders.payments.models import EventState, IncidentKind, PaymentAttempt, Refund, WebhookEvent
from orders.payments.refunding import settle_refund
from orders.payments.settling import settle
from proj.jobs.errors import Transient
from proj.jobs.failpoints import failpoint

OVER = frozenset({EventState.PROCESSED, EventState.IGNORED})


class Unplaced(Transient):
    """The event speaks of something of ours that we do not have: we may have it soon."""

    def __init__(self, detail: str, order: Order | None = None) -> None:
        super().__init__(detail)
        self.detail, self.order = detail, order


class Outcome(NamedTuple):
    state: EventState
    detail: str


def process_event(event_id: int, *, is_last_try: bool) -> EventState:
    """Settle what an event is about, as the provider has it now. May run any number of times.

    Args:
        event_id: primary key of the event.
        is_last_try: whether to give up on what is not to be found, with an incident.

    Raises:
        Unplaced: try again later; Postponed, Unknown, Unavailable, Misconfigured: the provider was not asked, or not
            with success.
    """
    event = WebhookEvent.objects.get(pk=event_id)
    if event.state in OVER:
        return EventState(event.state)
    try:
        outcome = _look_into(event)
    except Unplaced as unplaced:
        if not is_last_try:
            raise
        return _give_up(event, unplaced)
    _settle_event(event, outcome)
    return outcome.state


def _look_into(event: WebhookEvent) -> Outcome:
    reference = event.object_ref
    if not reference or not kinds.is_known(event.kind):
        return Outcome(EventState.IGNORED, "Of a kind that we do not use.")
    if event.kind in kinds.PAYMENT:
        payment = _payment(reference)
        failpoint("event:fetched")
        return _settle_payment(payment)
    if event.kind in kinds.REFUND:
        receipts = [_refund(reference)]
    else:
        receipts = through(lambda gateway: list(gateway.refunds(payment=reference)))
    failpoint("event:fetched")
    outcomes = [_settle_receipt(receipt) for receipt in receipts]
    # One line for them all: that of the first which is ours.
    return min(outcomes, key=lambda outcome: outcome.state != EventState.PROCESSED, default=_NOT_OURS)


_NOT_OURS = Outcome(EventState.IGNORED, "Of a payment that is none of ours.")


def _payment(reference: str) -> Payment:
    payment = through(lambda gateway: gateway.retrieve(reference))
    if payment is None:
        raise Unplaced(f"The provider does not know {reference}.")
    return payment


def _refund(reference: str) -> RefundReceipt:
    receipt = through(lambda gateway: gateway.retrieve_refund(reference))
    if receipt is None:
        raise Unplaced(f"The provider does not know {reference}.")
    return receipt


def _settle_payment(payment: Payment) -> Outcome:
    attempt = _attempt_of(payment)
    if attempt is None:
        return _NOT_OURS
    changed = settle(attempt.pk, payment, via="webhook")
    said = f"{payment.reference} is {payment.status} at the provider"
    return Outcome(EventState.PROCESSED, f"{said}: settled." if changed else f"{said}: nothing to change.")


def _attempt_of(payment: Payment) -> PaymentAttempt | None:
    """The attempt that a payment answers; None if it is none of ours.

    By its reference; before we have that, by the order in its metadata: then it is the open attempt, or the last.

    Raises:
        Unplaced: it names an order, and we have none such, or never tried to charge it.
    """
    known = PaymentAttempt.objects.filter(provider_ref=payment.reference).first()
    if known is not None or not payment.order:
        return known
    order = _order_of(payment.order)
    if order is None:
        raise Unplaced(f"{payment.reference} is for the order {payment.order}, which we do not have.")
    attempts = order.payment_attempts.order_by("-number")
    attempt = attempts.open().first() or attempts.first()
    if attempt is None:
        raise Unplaced(f"{payment.reference} is for the order {order.pk}, which was never charged.", order)
    return attempt


def _order_of(public_id: str) -> Order | None:
    try:
        return Order.objects.filter(public_id=UUID(public_id)).first()
    except ValueError:
        return None


def _settle_receipt(receipt: RefundReceipt) -> Outcome:
    refund = _refund_of(receipt)
    if refund is not None:
        changed = settle_refund(refund.pk, receipt, via="webhook")
        said = f"{receipt.reference} is {receipt.status} at the provider"
        return Outcome(
            EventState.PROCESSED, f"{said}: settled." if changed else f"{said}: nothing to change."
        )
    attempt = PaymentAttempt.objects.filter(provider_ref=receipt.payment).select_related("order").first()
    if attempt is None:
        # Perhaps its payment is ours, and we do not know it yet: then this waits for it.
        attempt = _attempt_of(_payment(receipt.payment)) if receipt.payment else None
        if attempt is None:
            return _NOT_OURS
    if receipt.status != RefundStatus.SUCCEEDED:
        return Outcome(
            EventState.IGNORED, f"{receipt.reference} was not made by us, and is {receipt.status}."
        )
    return _report_foreign(attempt, receipt)


def _refund_of(receipt: RefundReceipt) -> Refund | None:
    """Ours by its reference; before we have that, by our number in its metadata, if it is of the same payment."""
    known = Refund.objects.filter(provider_ref=receipt.reference).first()
    if known is not None or not receipt.refund.isdecimal():
        return known
    # Or just now by its reference: the reply to our own question may have been settled since.
    ours = Refund.objects.filter(pk=int(receipt.refund), provider_ref__in=["", receipt.reference])
    return ours.filter(attempt__provider_ref=receipt.payment).first()


def _report_foreign(attempt: PaymentAttempt, receipt: RefundReceipt) -> Outcome:
    sum_ = format_money(receipt.amount, receipt.currency)
    open_incident(
        IncidentKind.REFUND_UNSETTLED,
        receipt.reference,
        summary=f"{sum_} of {receipt.payment} were given back at the provider as {receipt.reference}, not by us.",
        detail={"refund": receipt.reference, "payment": receipt.payment, "amount": receipt.amount},
        order=attempt.order,
        repair=f"Adopt {receipt.reference}: record it as a refund of the order that has succeeded.",
    )
    return Outcome(EventState.PROCESSED, f"{receipt.reference} was not made by us: an incident is open.")


def _give_up(event: WebhookEvent, unplaced: Unplaced) -> EventState:
    with transaction.atomic():
        _settle_event(event, Outcome(EventState.FAILED, unplaced.detail))
        open_incident(
            IncidentKind.EVENT_UNPLACED,
            event.object_ref,
            summary=f"{event.kind} {event.event_id}: {unplaced.detail}",
            detail={"event": event.pk},
            order=unplaced.order,
        )
    return EventState.FAILED


def _settle_event(event: WebhookEvent, outcome: Outcome) -> None:
    open_ = WebhookEvent.objects.filter(pk=event.pk).exclude(state__in=OVER)
    open_.update(state=outcome.state, detail=outcome.detail[:500], settled_at=timezone.now())
