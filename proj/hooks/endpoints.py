"""Endpoints of a person: made, changed, given another secret, deleted."""

from collections.abc import Sequence
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from proj.hooks import addresses, kinds, signing
from proj.hooks.models import Endpoint, State

#: More than a person has systems; each event is written once for each.
MAX_ENDPOINTS = 10
#: How long the secrets before the newest one sign too, so that a receiver can be given the new one without a gap.
OVERLAP = timedelta(hours=24)
#: And how many of them: the one that the receiver has, and those of answers that got lost on their way.
OLD_SECRETS = 3


class EndpointRefused(Exception):  # noqa: N818
    """It cannot be like that; `field` says what of it, and the words are for its owner."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field, self.detail = field, detail


def create_endpoint(
    owner: User, url: str, wanted: Sequence[str], *, description: str = ""
) -> tuple[Endpoint, str]:
    """Create an endpoint and return it with its secret, which cannot be read again later.

    Args:
        owner: whose events it is told.
        url: where.
        wanted: kinds of events.
        description: what its owner calls it.

    Raises:
        EndpointRefused: nothing was created.

    """
    _check(url, wanted)
    secret = signing.new_secret()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)  # two at once count one after the other
        if Endpoint.objects.of(owner.pk).count() >= MAX_ENDPOINTS:
            raise EndpointRefused(
                "", f"You have {MAX_ENDPOINTS} endpoints. Delete one that you no longer use first."
            )
        endpoint = Endpoint.objects.create(
            owner=owner,
            url=url,
            kinds=_in_order(wanted),
            description=description,
            secret=signing.seal(secret),
        )
    return endpoint, secret


def change_endpoint(
    endpoint: Endpoint,
    *,
    url: str | None = None,
    wanted: Sequence[str] | None = None,
    description: str | None = None,
) -> Endpoint:
    """Change what is given of an endpoint. What is on its way already goes to the new address, from its next try on.

    Raises EndpointRefused, and changes nothing, when it cannot be like that.
    """
    _check(url if url is not None else endpoint.url, endpoint.kinds if wanted is None else wanted)
    with transaction.atomic():
        stored = Endpoint.objects.locked().get(pk=endpoint.pk)
        if url is not None and url != stored.url:
            # Another address has not failed yet.
            stored.url, stored.failures, stored.failing_since, stored.quiet_until = url, 0, None, None
        if wanted is not None:
            stored.kinds = _in_order(wanted)
        if description is not None:
            stored.description = description
        stored.save(update_fields=["url", "kinds", "description", "failures", "failing_since", "quiet_until"])
        return stored


def rotate_secret(endpoint: Endpoint, *, overlap: timedelta = OVERLAP) -> str:
    """Give an endpoint another secret and return it, once. Those before it sign too, for as long as `overlap`.

    An `overlap` of zero ends them at once: for a secret that somebody else has.
    """
    secret = signing.new_secret()
    with transaction.atomic():
        stored, now = Endpoint.objects.locked().get(pk=endpoint.pk), timezone.now()
        stored.old_secrets = stored.sealed_secrets(now)[:OLD_SECRETS] if overlap else []
        stored.old_secret_until = now + overlap if overlap else None
        stored.secret = signing.seal(secret)
        stored.save(update_fields=["secret", "old_secrets", "old_secret_until"])
    return secret


def delete_endpoint(endpoint: Endpoint) -> None:
    """Delete an endpoint with its secrets. It belongs to nobody from now on; the clean-up deletes its deliveries, then it."""
    with transaction.atomic():
        stored = Endpoint.objects.locked().get(pk=endpoint.pk)
        now = timezone.now()
        stored.owner, stored.secret, stored.old_secrets, stored.old_secret_until = None, "", [], None
        stored.disabled_at, stored.disabled_because = now, "It was deleted."
        stored.save()
        stored.deliveries.pending().update(
            state=State.FAILED, settled_at=now, error="The endpoint was deleted."
        )


def _check(url: str, wanted: Sequence[str]) -> None:
    try:
        addresses.parse(url)
    except addresses.NotAllowed as refusal:
        raise EndpointRefused("url", str(refusal)) from refusal
    if not wanted:
        raise EndpointRefused("events", "Choose at least one kind of event.")
    for kind in wanted:
        if kind not in kinds.subscribable():
            raise EndpointRefused("events", f"There is no kind of event called {kind!r}.")


def _in_order(wanted: Sequence[str]) -> list[str]:
    return [kind for kind in kinds.subscribable() if kind in wanted]
