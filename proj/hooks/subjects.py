"""Tells whose delivery a task works on: for the jobs API and the admin."""

from proj.hooks.models import Delivery
from proj.jobs import subjects
from proj.jobs.subjects import Subject


def register_all() -> None:
    """Make known what a delivery is."""
    subjects.register("delivery", resolve_delivery)


def resolve_delivery(identity: str) -> Subject | None:
    """Return the delivery with a primary key; it belongs to the owner of its endpoint."""
    if not identity.isdecimal():
        return None
    delivery = Delivery.objects.select_related("endpoint").filter(pk=identity).first()
    if delivery is None:
        return None
    return Subject(f"delivery:{delivery.pk}", delivery.endpoint.owner_id, delivery.get_absolute_url())
