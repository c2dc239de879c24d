"""What orders leave behind that nobody needs for long; the nightly clean-up deletes it."""

from datetime import datetime, timedelta

from orders.models import Cart, IdempotencyKey

#: A cart that nobody has touched for a month is forgotten.
CARTS_KEPT = timedelta(days=30)
#: As long as payment providers keep theirs; a client that still repeats a request after a day means a new one.
KEYS_KEPT = timedelta(hours=24)


def purge_carts(limit: int, now: datetime) -> int:
    """Delete at most `limit` forgotten carts, with what is in them; returns how many."""
    expired = Cart.objects.filter(updated_at__lt=now - CARTS_KEPT).order_by("pk").values("pk")[:limit]
    return Cart.objects.filter(pk__in=expired).delete()[1].get("orders.Cart", 0)


def purge_idempotency_keys(limit: int, now: datetime) -> int:
    """Delete at most `limit` expired keys; returns how many."""
    expired = (
        IdempotencyKey.objects.filter(created_at__lt=now - KEYS_KEPT).order_by("pk").values("pk")[:limit]
    )
    return IdempotencyKey.objects.filter(pk__in=expired).delete()[0]
