"""Mending what has stayed without an end: it is looked up, and settled as it is at the provider."""

from celery import signature
from django.db import transaction

from orders.payments.gate import through
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.looking import absent, find_payment, is_silent
from orders.payments.models import AttemptState, Incident, IncidentKind, PaymentAttempt, Refund, WebhookEvent
from orders.payments.models.event import EventState
from orders.payments.reconciling.difference import Difference, NotRepaired
from orders.payments.reconciling.giveback_repairs import ask_again, fail_and_ask_again
from orders.payments.reconciling.silence_checks import (
    find_refused_refunds,
    find_silent_attempts,
    find_silent_refunds,
    find_unplaced_events,
)
from orders.payments.settling import settle
from orders.payments.settling_refunds import settle_refund


def look_at_silence(incident: Incident) -> Difference | None:
    kind, number = _subject(incident.fingerprint)
    if kind == "attempt":
        return next(find_silent_attempts(PaymentAttempt.objects.filter(pk=number)), None)
    return next(find_silent_refunds(Refund.objects.filter(pk=number)), None)


def look_at_refusal(incident: Incident) -> Difference | None:
    return next(find_refused_refunds(Refund.objects.filter(pk=_subject(incident.fingerprint)[1])), None)


def look_at_event(incident: Incident) -> Difference | None:
    return next(find_unplaced_events(WebhookEvent.objects.filter(object_ref=incident.fingerprint)), None)


def look_at_configuration(incident: Incident) -> Difference | None:
    """Our requests are taken again as soon as one was: a payment captured since."""
    since = PaymentAttempt.objects.filter(state=AttemptState.SUCCEEDED, created_at__gt=incident.seen_at)
    if since.exists():
        return None
    return Difference(
        IncidentKind.MISCONFIGURED,
        incident.fingerprint,
        incident.summary,
        incident.order_id,
        incident.repair,
        incident.detail,
    )


def look_up(difference: Difference, actor: str) -> str:
    """Settle a payment or a refund by what the provider has; what it does not have has not happened."""
    kind, number = _subject(difference.fingerprint)
    return _look_up_attempt(number) if kind == "attempt" else _look_up_refund(number, actor)


def refund_again(difference: Difference, actor: str) -> str:
    return ask_again(_subject(difference.fingerprint)[1], actor)


def process_again(difference: Difference, actor: str) -> str:  # noqa: ARG001  the incident says who
    """Owe the jobs that look into the events of an object. They leave on commit."""
    failed = WebhookEvent.objects.filter(object_ref=difference.fingerprint, state=EventState.FAILED)
    again = 0
    with transaction.atomic():
        for pk in failed.order_by("pk").values_list("pk", flat=True):
            # Whoever finds it failed takes it up; a second one finds it received.
            if failed.filter(pk=pk).update(state=EventState.RECEIVED, settled_at=None, detail=""):
                signature("payments.process_event", args=(pk,), immutable=True).apply_async()
                again += 1
    if not again:
        raise NotRepaired("The events are being looked into.")
    return f"{again} event{'' if again == 1 else 's'} will be looked into again."


def _look_up_attempt(attempt_id: int) -> str:
    attempt = PaymentAttempt.objects.select_related("order").get(pk=attempt_id)
    is_over = is_silent(
        attempt
    )  # judged before looking: a request that is still under way may arrive after it
    payment = find_payment(attempt)
    if payment is None and not is_over:
        raise NotRepaired("It is not at the provider, but was asked for minutes ago.")
    if not settle(attempt.pk, payment or absent(attempt), via="reconciliation"):
        raise NotRepaired("The provider has no outcome either.")
    attempt.refresh_from_db()
    attempt.order.refresh_from_db()
    return f"The payment is {attempt.state}, order {attempt.order_id} is {attempt.order.status}."


def _look_up_refund(refund_id: int, actor: str) -> str:
    refund = Refund.objects.select_related("attempt").get(pk=refund_id)
    payment = refund.attempt.provider_ref
    receipts = through(lambda gateway: list(gateway.refunds(payment=payment)), wait=True)
    ours = [r for r in receipts if r.refund == str(refund.pk) or r.reference == refund.provider_ref]
    if not ours:
        missing = RefundReceipt(
            refund.provider_ref,
            payment,
            RefundStatus.FAILED,
            refund.amount,
            refund.currency,
            detail="The provider does not have it.",
        )
        return fail_and_ask_again(refund.pk, missing, actor)
    if not settle_refund(refund.pk, ours[0], via="reconciliation"):
        raise NotRepaired("The provider has no outcome either.")
    return f"Settled: refund {refund.pk} has {ours[0].status}."


def _subject(fingerprint: str) -> tuple[str, int]:
    """Kind and primary key of "attempt:5"."""
    kind, _, number = fingerprint.partition(":")
    return kind, int(number)
