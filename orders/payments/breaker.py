"""The circuit breaker: a provider that does not answer is left alone, tried by one call at a time, and then gently used.

    closed   every call is made; `opens_after` in a row without an answer open it
    open     no call is made until `next_probe_at`
    probing  one call is, which moves `next_probe_at` to when it must have ended; its outcome closes or opens again
    closed   since `recovered_at`: the rate grows from a tenth of what is set to all of it

The state is the provider's row, the same for all processes. It is written only when something changes: not at all while
every call is answered.
"""

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from orders.payments.models import Provider
from proj.jobs.errors import Postponed

#: Seconds from opening to the first probe, doubled after each that fails: a hiccup costs little, and a long outage one
#: call a minute.
FIRST_WAIT, LONGEST_WAIT = 5.0, 60.0
#: A probe whose process died is over after this; the time-outs of a call add up to 30 s.
PROBE_LASTS = timedelta(seconds=40)
#: A provider that comes back is not met by all that has been waiting: 8 a second at first, of 80.
RAMP, RAMP_FROM = timedelta(seconds=30), 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Permit:
    """That a call may be made, with what was known of the provider then."""

    provider: str
    failures: int
    failed_probes: int
    probe_until: datetime | None  # not None: this call is the probe, and the only one until then


def refuse_if_open(provider: Provider) -> None:
    """Let nobody pass while the provider is down and not to be probed yet.

    Raises:
        Postponed: until somewhat after the next probe.
    """
    now = timezone.now()
    if (
        provider.down_since is not None
        and provider.next_probe_at is not None
        and provider.next_probe_at > now
    ):
        raise _postponed(provider.next_probe_at - now)


def admit(provider: Provider) -> Permit:
    """Let a call pass; while the provider is down, only the first that comes when a probe is due.

    Raises:
        Postponed: another call is the probe.
    """
    failed_probes = max(provider.failures - provider.opens_after, 0)
    if provider.down_since is None:
        return Permit(provider.name, provider.failures, failed_probes, None)
    until = timezone.now() + PROBE_LASTS
    # The row is compared with what was read: of all that have read the same, one finds it so.
    due = Provider.objects.filter(
        pk=provider.pk, next_probe_at=provider.next_probe_at, down_since__isnull=False
    )
    if not due.update(next_probe_at=until):
        raise _postponed(timedelta(seconds=FIRST_WAIT))
    return Permit(provider.name, provider.failures, failed_probes, until)


def note_answer(permit: Permit) -> None:
    """The provider has answered, whatever it said."""
    if permit.probe_until is not None:
        probed = Provider.objects.filter(pk=permit.provider, next_probe_at=permit.probe_until)
        if probed.update(
            failures=0, down_since=None, next_probe_at=None, recovered_at=timezone.now(), last_error=""
        ):
            logger.warning("%s answers again, and is asked gently at first", permit.provider)
    elif permit.failures:
        # While it is down only a probe closes the breaker: this answer may be as old as its question.
        up = Provider.objects.filter(pk=permit.provider, down_since=None)
        up.update(failures=0, last_error="")


def note_silence(permit: Permit, error: str) -> None:
    """The provider has not answered, or could not; `error` is for staff."""
    now, failed = timezone.now(), {"failures": F("failures") + 1, "last_error": error.replace("\0", "")[:500]}
    if permit.probe_until is not None:
        wait = min(FIRST_WAIT * 2 ** min(permit.failed_probes + 1, 10), LONGEST_WAIT)
        probed = Provider.objects.filter(pk=permit.provider, next_probe_at=permit.probe_until)
        probed.update(next_probe_at=now + timedelta(seconds=wait), **failed)
        return
    up = Provider.objects.filter(pk=permit.provider, down_since=None)
    up.update(**failed)
    opened = up.filter(failures__gte=F("opens_after")).update(
        down_since=now, next_probe_at=now + timedelta(seconds=FIRST_WAIT), recovered_at=None
    )
    if opened:
        logger.error("%s is down, calls to it wait: %s", permit.provider, error)


def pace(provider: Provider) -> int:
    """Calls per second that the provider may get now, at least 1."""
    share = 1.0
    if provider.recovered_at is not None:
        share = min(RAMP_FROM + (1 - RAMP_FROM) * ((timezone.now() - provider.recovered_at) / RAMP), 1.0)
    return max(int(provider.calls_per_second * share), 1)


def _postponed(wait: timedelta) -> Postponed:
    # Those that wait do not come back in one moment.
    seconds = wait.total_seconds() + random.uniform(0, FIRST_WAIT)  # noqa: S311  not a secret
    return Postponed(seconds, "The payment provider does not answer at the moment. We will ask again.")
