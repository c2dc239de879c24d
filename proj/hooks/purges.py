"""What webhooks leave behind that nobody needs for long; the nightly clean-up deletes it."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef

from proj.hooks.models import Delivery, Endpoint

#: A receiver that was away finds out within days; until then what it missed can be sent again.
DELIVERIES_KEPT = timedelta(days=30)


def purge_deliveries(limit: int, now: datetime) -> int:
    """Delete at most `limit` deliveries that were settled some time ago, with their attempts; returns how many."""
    settled = Delivery.objects.filter(settled_at__lt=now - DELIVERIES_KEPT)
    return _delete(list(settled.order_by("settled_at").values_list("pk", flat=True)[:limit]))


def purge_endpoints(limit: int, now: datetime) -> int:  # noqa: ARG001  a purge is given the time
    """Delete what is left of deleted endpoints: at most `limit` deliveries, and those that have none; returns how many."""
    left = Delivery.objects.filter(endpoint__owner=None)
    gone = _delete(list(left.values_list("pk", flat=True).order_by()[:limit]))
    bare = Endpoint.objects.filter(owner=None).exclude(
        Exists(Delivery.objects.filter(endpoint=OuterRef("pk")))
    )
    bare = Endpoint.objects.filter(pk__in=list(bare.values_list("pk", flat=True)[: limit - gone]))
    return gone + bare.delete()[0]


def _delete(ids: list[int]) -> int:
    _, deleted = Delivery.objects.filter(pk__in=ids).delete()
    return deleted.get("hooks.Delivery", 0)
