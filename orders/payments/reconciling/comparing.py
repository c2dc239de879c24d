"""The comparison: the provider against payments against orders against books against stock, in both directions.

The provider is read first, page by page, and what we have is read after it: what we know of that it does not is then
asked for by itself, so that a payment which was captured in between is no difference. Only what differs, and the ids of
what the provider's list had, stay in memory.
"""

from collections.abc import Callable, Iterable, Iterator

from orders.models import StockItem
from orders.payments.models import IncidentKind, PaymentAttempt, Refund, WebhookEvent
from orders.payments.reconciling import capture_checks, captures, giveback_checks, givebacks, streams
from orders.payments.reconciling.books_checks import find_books_differences
from orders.payments.reconciling.captures import Capture
from orders.payments.reconciling.difference import Difference, Window
from orders.payments.reconciling.givebacks import Giveback
from orders.payments.reconciling.order_checks import find_not_refunded, find_order_differences, orders_in
from orders.payments.reconciling.silence_checks import (
    find_refused_refunds,
    find_silent_attempts,
    find_silent_refunds,
    find_unplaced_events,
)
from orders.payments.reconciling.stock_checks import find_stock_differences
from orders.payments.reconciling.totals import Totals

#: Told how many of what have been compared since the last time.
Progress = Callable[[str, int], None]

#: A payment that was given back at the provider is no such difference, and a list does not say whether it was.
LOOKED_AT_TWICE = frozenset({IncidentKind.STRAY_CAPTURE, IncidentKind.CAPTURED_TWICE})


def compare(window: Window, totals: Totals, progress: Progress) -> Iterator[Difference]:
    """Everything that differs, as it is found; what was compared is added to `totals`.

    Raises:
        Unknown, Unavailable, Postponed: the provider is not to be had. Misconfigured: it refuses us.
    """
    yield from _compare_payments(window, totals, progress)
    yield from _compare_refunds(window, totals, progress)
    yield from compare_ourselves(window, progress)


def compare_ourselves(window: Window, progress: Progress) -> Iterator[Difference]:
    """What can be found out without asking anybody: one statement for each question."""
    questions: Iterable[tuple[str, Iterator[Difference]]] = (
        ("orders", find_order_differences(orders_in(window))),
        ("orders", find_not_refunded(orders_in(window))),
        ("books", find_books_differences(window)),
        ("stock", find_stock_differences(StockItem.objects.all())),
        ("outcomes", find_silent_attempts(PaymentAttempt.objects.all())),
        ("outcomes", find_silent_refunds(Refund.objects.all())),
        ("refusals", find_refused_refunds(Refund.objects.filter(created_at__gte=window.since))),
        ("events", find_unplaced_events(WebhookEvent.objects.filter(received_at__gte=window.since))),
    )
    for what, found in questions:
        yield from found
        progress(what, 1)


def _compare_payments(window: Window, totals: Totals, progress: Progress) -> Iterator[Difference]:
    seen: set[str] = set()
    for payments in streams.payments(window):
        seen.update(payment.reference for payment in payments)
        yield from _judge_captures(captures.read_payments(payments), totals)
        progress("payments", len(payments))
    for attempts in captures.settled_attempts(window):
        unseen = captures.read_attempts([a for a in attempts if a.provider_ref not in seen])
        yield from _judge_captures([capture for capture in unseen if not _is_later(capture, window)], totals)
        progress("attempts", len(attempts))


def _compare_refunds(window: Window, totals: Totals, progress: Progress) -> Iterator[Difference]:
    seen: set[str] = set()
    for receipts in streams.receipts(window):
        seen.update(receipt.reference for receipt in receipts)
        yield from _judge_givebacks(givebacks.read_receipts(receipts), totals)
        progress("refunds", len(receipts))
    for refunds in givebacks.settled_refunds(window):
        unseen = givebacks.read_refunds([r for r in refunds if r.provider_ref not in seen])
        yield from _judge_givebacks(unseen, totals)
        progress("refunds here", len(refunds))


def _judge_captures(found: list[Capture], totals: Totals) -> Iterator[Difference]:
    suspects = [(capture, difference) for capture in found if (difference := capture_checks.check(capture))]
    flying = captures.in_flight([capture for capture, _ in suspects])
    differing = {id(capture): difference for capture, difference in suspects}
    for capture in found:
        difference = differing.get(id(capture))
        if difference is not None and flying(capture):
            totals.in_flight += 1
        elif not capture.is_ours:
            totals.foreign += 1
        elif difference is None or difference.kind not in LOOKED_AT_TWICE:
            totals.add_capture(capture)
            yield from [difference] if difference is not None else []
        elif (again := capture_checks.check(captures.read_capture(difference.fingerprint))) is None:
            totals.foreign += 1
        else:
            totals.add_capture(capture)
            yield again


def _judge_givebacks(found: list[Giveback], totals: Totals) -> Iterator[Difference]:
    suspects = [
        (giveback, difference) for giveback in found if (difference := giveback_checks.check(giveback))
    ]
    flying = givebacks.in_flight([giveback for giveback, _ in suspects])
    differing = {id(giveback): difference for giveback, difference in suspects}
    for giveback in found:
        difference = differing.get(id(giveback))
        if difference is not None and flying(giveback):
            totals.in_flight += 1
        elif not giveback.is_ours:
            totals.foreign += 1
        else:
            totals.add_giveback(giveback)
            yield from [difference] if difference is not None else []


def _is_later(capture: Capture, window: Window) -> bool:
    """Captured after the provider's list was asked for: the next comparison looks at it."""
    made = capture.payment.created_at if capture.payment is not None else None
    return made is not None and made > window.until
