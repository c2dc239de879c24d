"""Switching an endpoint off and on.

While it is off nothing is written for it: what happens meanwhile it will not be told. What was on its way is given up, kept,
and can be sent again once it is on.
"""

from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone

from proj.accounts.mails import post_mail
from proj.hooks.models import Endpoint, State


def switch_off(endpoint: Endpoint, because: str, *, tell: bool = False) -> None:
    """Send an endpoint nothing more, and give up what is on its way to it. Needs the endpoint locked.

    Args:
        endpoint: one that is on.
        because: why, as a sentence for its owner.
        tell: whether its owner gets a mail: not when it was their own doing.
    """
    now = timezone.now()
    endpoint.disabled_at, endpoint.disabled_because = now, because[:300]
    endpoint.save(update_fields=["disabled_at", "disabled_because"])
    given_up = endpoint.deliveries.pending().update(
        state=State.FAILED, settled_at=now, error="The endpoint was switched off."
    )
    if tell and endpoint.owner is not None and endpoint.owner.email:
        body = render_to_string("hooks/mail/switched_off.txt", {"endpoint": endpoint, "given_up": given_up})
        post_mail(endpoint.owner.email, "A webhook endpoint of yours was switched off", body)


def switch_off_by_hand(endpoint_id: int, because: str, *, tell: bool = False) -> bool:
    """Switch an endpoint off; False if it was off. For the arguments see `switch_off`."""
    with transaction.atomic():
        endpoint = Endpoint.objects.locked().get(pk=endpoint_id)
        if not endpoint.is_on:
            return False
        switch_off(endpoint, because, tell=tell)
        return True


def switch_on(endpoint_id: int) -> bool:
    """Tell an endpoint again what happens from now on; False if it was on. Its failures are forgotten."""
    with transaction.atomic():
        endpoint = Endpoint.objects.locked().get(pk=endpoint_id)
        if endpoint.disabled_at is None:
            return False
        endpoint.disabled_at, endpoint.disabled_because = None, ""
        endpoint.failing_since, endpoint.quiet_until, endpoint.failures = None, None, 0
        endpoint.save(
            update_fields=["disabled_at", "disabled_because", "failing_since", "quiet_until", "failures"]
        )
        return True
