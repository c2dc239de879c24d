"""What the provider has and what we have, in batches as large as its pages, however many and however often it fails."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

from django.db.models import Q, QuerySet

from orders.payments.gate import through
from orders.payments.gateway import Payment, PaymentGateway, RefundReceipt, Unavailable, Unknown
from orders.payments.models import PaymentAttempt, Refund
from orders.payments.reconciling.difference import Window

logger = logging.getLogger(__name__)

#: Stripe's largest page, so that a batch is one request to the provider.
BATCH = 100
#: Failures in a row, without anything new in between, after which the provider counts as not to be had; with the pauses
#: that is some 15 s, which outlives a restart of the provider and not the patience of somebody at a terminal.
TRIES = 5
PAUSE = 1.0  # seconds after the first failure; twice as long after each that follows


class Dated(Protocol):
    @property
    def reference(self) -> str: ...

    @property
    def created_at(self) -> datetime | None: ...


Found = TypeVar("Found", bound=Dated)
Row = TypeVar("Row", PaymentAttempt, Refund)
#: Opens a stream, newest first, of what was made until a moment.
Opener = Callable[[PaymentGateway, datetime], Iterator[Found]]


def payments(window: Window) -> Iterator[list[Payment]]:
    """Every payment of the window, newest first.

    Raises:
        Unknown, Unavailable: the provider is not to be had. Misconfigured: it refuses us.
    """

    def reopen(gateway: PaymentGateway, until: datetime) -> Iterator[Payment]:
        return gateway.payments(since=window.since, until=until)

    return _batches(reopen, window.until)


def receipts(window: Window) -> Iterator[list[RefundReceipt]]:
    """Every refund of the window, newest first. Raises as `payments`."""

    def reopen(gateway: PaymentGateway, until: datetime) -> Iterator[RefundReceipt]:
        found = gateway.refunds(since=window.since)  # which cannot be told where to begin
        return (receipt for receipt in found if receipt.created_at is None or receipt.created_at <= until)

    return _batches(reopen, window.until)


def rows(found: QuerySet[Row], window: Window) -> Iterator[list[Row]]:
    """Our attempts or refunds of the window, oldest first: a query for each batch, and no cursor that stays open while
    the provider is asked. Each begins where the one before it ended, in an index on `created_at` and `id`.
    """
    ours: Any = found.filter(created_at__gte=window.since, created_at__lte=window.until).order_by(
        "created_at", "pk"
    )
    rest = ours
    while batch := list(rest[:BATCH]):
        yield batch
        last = batch[-1]
        seen = Q(created_at=last.created_at, pk__lte=last.pk)
        rest = ours.filter(created_at__gte=last.created_at).exclude(seen)


def _batches(reopen: Opener[Found], until: datetime) -> Iterator[list[Found]]:
    """Batches of `BATCH`; a stream that broke is opened again where it broke, and nothing comes twice."""
    boundary: set[str] = set()  # what has come of the second in which a new stream would begin
    stream: Iterator[Found] | None = None
    failures = 0

    def read(gateway: PaymentGateway) -> list[Found]:
        nonlocal stream
        if stream is None:
            stream = reopen(gateway, until)
        return list(islice(stream, BATCH))

    while True:
        try:
            page = through(read, wait=True)
        except (Unknown, Unavailable) as error:
            failures, stream = failures + 1, None
            if failures == TRIES:
                raise
            logger.info("the provider's list broke off and is asked for again: %s", error.detail)
            time.sleep(PAUSE * 2 ** (failures - 1))
            continue
        if not page:
            return
        failures = 0
        if batch := [found for found in page if found.reference not in boundary]:
            yield batch
        last = page[-1].created_at
        if last is not None:
            boundary = {found.reference for found in page if found.created_at == last} | (
                boundary if last == until else set()
            )
            until = last
