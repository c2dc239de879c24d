"""What has stayed without an end: payments and refunds without an outcome, refusals, webhooks that nobody could place."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from orders.money import format_money
from orders.payments.models import IncidentKind, PaymentAttempt, Refund, RefundState, WebhookEvent
from orders.payments.models.event import EventState
from orders.payments.reconciling.difference import Difference

#: A key is good for 24 hours: what has no outcome by then will not get one by being asked again.
TOO_LONG: Final = timedelta(days=1)


def find_silent_attempts(attempts: QuerySet[PaymentAttempt]) -> Iterator[Difference]:
    old = attempts.open().filter(created_at__lt=timezone.now() - TOO_LONG)  # type: ignore[attr-defined]
    for attempt in old.select_related("order").order_by("pk"):
        money = format_money(attempt.amount, attempt.currency)
        yield Difference(
            IncidentKind.UNKNOWN_TOO_LONG,
            f"attempt:{attempt.pk}",
            f"{money} was asked for order {attempt.order_id} on {attempt.created_at:%Y-%m-%d %H:%M} UTC, without an "
            f"outcome since.",
            attempt.order_id,
            "Look it up at the provider, and settle it as it is there.",
            {"attempt": {"pk": attempt.pk, "state": attempt.state, "key": attempt.idempotency_key},
             "last answer": attempt.error_detail},
        )  # fmt: skip


def find_silent_refunds(refunds: QuerySet[Refund]) -> Iterator[Difference]:
    old = refunds.open().filter(created_at__lt=timezone.now() - TOO_LONG)  # type: ignore[attr-defined]
    for refund in old.select_related("attempt").order_by("pk"):
        money = format_money(refund.amount, refund.currency)
        yield Difference(
            IncidentKind.UNKNOWN_TOO_LONG,
            f"refund:{refund.pk}",
            f"{money} of order {refund.attempt.order_id} was to go back on {refund.created_at:%Y-%m-%d %H:%M} UTC, "
            "without an outcome since.",
            refund.attempt.order_id,
            "Look it up at the provider, and settle it as it is there.",
            {"refund": {"pk": refund.pk, "state": refund.state, "key": refund.idempotency_key},
             "last answer": refund.error_detail},
        )  # fmt: skip


def find_refused_refunds(refunds: QuerySet[Refund]) -> Iterator[Difference]:
    """Refused, and nothing was asked for in its place."""
    later = Refund.objects.filter(attempt=OuterRef("attempt"), pk__gt=OuterRef("pk")).exclude(
        state=RefundState.FAILED
    )
    refused = refunds.filter(
        ~Exists(later), state=RefundState.FAILED, attempt__refunded__lte=F("attempt__amount") - F("amount")
    )
    for refund in refused.select_related("attempt").order_by("pk"):
        money = format_money(refund.amount, refund.currency)
        yield Difference(
            IncidentKind.REFUND_FAILED,
            f"refund:{refund.pk}",
            f"The provider refused to give {money} of order {refund.attempt.order_id} back: {refund.error_detail}",
            refund.attempt.order_id,
            f"Ask for {money} again.",
            {"refund": {"pk": refund.pk, "state": refund.state, "code": refund.error_code},
             "attempt": {"payment": refund.attempt.provider_ref, "refunded": refund.attempt.refunded}},
        )  # fmt: skip


def find_unplaced_events(events: QuerySet[WebhookEvent]) -> Iterator[Difference]:
    """Once for each object, however often the provider told of it."""
    failed = events.filter(state=EventState.FAILED).order_by("object_ref", "-pk").distinct("object_ref")
    for event in failed:
        yield Difference(
            IncidentKind.EVENT_UNPLACED,
            event.object_ref,
            f"The provider told of {event.object_ref} ({event.kind}), and it could not be placed: {event.detail}",
            repair="Look into it again.",
            detail={
                "event": {
                    "pk": event.pk,
                    "id": event.event_id,
                    "kind": event.kind,
                    "object": event.object_ref,
                }
            },
        )
