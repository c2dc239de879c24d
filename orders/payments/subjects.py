"""Tells whose refund, or which of the provider's events, a task works on: for the jobs API and the admin."""

from django.urls import reverse

from orders.payments.models import Refund, WebhookEvent
from proj.jobs import subjects
from proj.jobs.subjects import Subject


def register_all() -> None:
    """Make known what a refund is, and an event."""
    subjects.register("refund", resolve_refund)
    subjects.register("event", resolve_event)


def resolve_refund(identity: str) -> Subject | None:
    """Return the refund with a primary key; it belongs to the customer of its order."""
    if not identity.isdecimal():
        return None
    refund = Refund.objects.select_related("attempt__order").filter(pk=identity).first()
    if refund is None:
        return None
    order = refund.attempt.order
    staff_url = reverse("admin:orders_order_change", args=[order.pk])
    return Subject(f"refund:{refund.pk}", order.customer_id, order.get_absolute_url(), staff_url)


def resolve_event(identity: str) -> Subject | None:
    """Return the provider's event with a primary key; it belongs to nobody, and staff may see it."""
    if not identity.isdecimal() or not WebhookEvent.objects.filter(pk=identity).exists():
        return None
    return Subject(f"event:{identity}", None, reverse("admin:payments_webhookevent_change", args=[identity]))
