"""What payments leave behind that nobody needs for long; the nightly clean-up deletes it."""

from datetime import datetime, timedelta

from orders.payments.models import WebhookEvent

#: The provider sends an event again for three days, and people ask about a payment for some weeks.
EVENTS_KEPT = timedelta(days=90)


def purge_events(limit: int, now: datetime) -> int:
    """Delete at most `limit` old events; returns how many. One of which nothing has come yet is kept."""
    settled = WebhookEvent.objects.filter(received_at__lt=now - EVENTS_KEPT, settled_at__isnull=False)
    expired = settled.order_by("received_at").values("pk")[:limit]
    return WebhookEvent.objects.filter(pk__in=expired).delete()[0]
