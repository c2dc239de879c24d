"""Tells whose refund a task works on, for the jobs API and the admin."""

from orders.payments.models import Refund
from proj.jobs import subjects
from proj.jobs.subjects import Subject


def register_all() -> None:
    """Make known what a refund is."""
    subjects.register("refund", resolve_refund)


def resolve_refund(identity: str) -> Subject | None:
    """Return the refund with a primary key; it belongs to the customer of its order."""
    if not identity.isdecimal():
        return None
    refund = Refund.objects.select_related("attempt__order").filter(pk=identity).first()
    if refund is None:
        return None
    order = refund.attempt.order
    return Subject(f"refund:{refund.pk}", order.customer_id, order.get_absolute_url())
