"""Three ledgers that must tell the same story: the provider's, that of payments with its books, and that of orders and stock.

The provider's is read from its SQLite file, from outside. Nothing here asks the code that is under test.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from django.db.models import Count, Sum

from orders.models import Order, OrderEvent, StockItem
from orders.payments.models import (
    Account,
    AttemptState,
    EntryKind,
    PaymentAttempt,
    Posting,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.payments.models.event import EventState
from orders.states import FINAL, HOLDS_STOCK, Status
from proj.jobs.models import Job

Money = tuple[int, str]  # minor units, ISO 4217

CAPTURED = """
    SELECT intents.body ->> '$.metadata.order', intents.id, charges.amount, upper(charges.currency)
      FROM charges JOIN intents ON intents.id = charges.intent WHERE charges.captured = 1
"""
GIVEN_BACK = """
    SELECT intents.body ->> '$.metadata.order', refunds.id, refunds.amount, upper(refunds.currency)
      FROM refunds JOIN intents ON intents.id = refunds.payment_intent WHERE refunds.status = 'succeeded'
"""
RETURNED = ":returned"
#: The goods have left.
SOLD = frozenset({Status.FULFILLED, Status.COMPLETED})


@dataclass
class Side:
    """What one ledger says of one order: money by the provider's id of each movement."""

    captured: dict[str, Money] = field(default_factory=dict)
    refunded: dict[str, Money] = field(default_factory=dict)

    @property
    def kept(self) -> int:
        """What stays with us, in the minor unit."""
        return self.captured_sum - self.given_back

    @property
    def captured_sum(self) -> int:
        return sum(amount for amount, _ in self.captured.values())

    @property
    def given_back(self) -> int:
        return sum(amount for amount, _ in self.refunded.values())


Sides = defaultdict[str, Side]  # by the public id of the order


def at_provider(books: Path) -> Sides:
    """Read what the provider has taken and given back; under "" what is of no order of ours."""
    sides: Sides = defaultdict(Side)
    with closing(sqlite3.connect(f"file:{books}?mode=ro", uri=True, timeout=30)) as connection:
        for order, reference, amount, currency in connection.execute(CAPTURED):
            sides[order or ""].captured[reference] = amount, currency
        for order, reference, amount, currency in connection.execute(GIVEN_BACK):
            sides[order or ""].refunded[reference] = amount, currency
    return sides


def in_payments() -> Sides:
    """Read what our attempts and refunds say."""
    sides: Sides = defaultdict(Side)
    paid = PaymentAttempt.objects.filter(state=AttemptState.SUCCEEDED)
    for order, reference, amount, currency in paid.values_list(
        "order__public_id", "provider_ref", "amount", "currency"
    ):
        sides[str(order)].captured[reference] = amount, currency
    done = Refund.objects.filter(state=RefundState.SUCCEEDED)
    for order, reference, amount, currency in done.values_list(
        "attempt__order__public_id", "provider_ref", "amount", "currency"
    ):
        sides[str(order)].refunded[reference] = amount, currency
    return sides


def in_books() -> Sides:
    """Read what the journal says that the provider holds for us, entry by entry."""
    sides: Sides = defaultdict(Side)
    rows = (
        Posting.objects.filter(account=Account.PROVIDER)
        .order_by("pk")
        .values_list("entry__order__public_id", "entry__kind", "entry__provider_ref", "amount", "currency")
    )
    for order, kind, reference, amount, currency in rows:
        side = sides[str(order)]
        if kind == EntryKind.CAPTURE:
            side.captured[reference] = amount, currency
        elif reference.endswith(RETURNED):  # a refund that did not arrive: the money is with us again
            side.refunded.pop(reference.removesuffix(RETURNED), None)
        else:
            side.refunded[reference] = -amount, currency
    return sides


def differences(books: Path, *, at_rest: bool = True) -> list[str]:
    """Compare everything with everything; empty when all ledgers agree.

    Args:
        books: the provider's SQLite file.
        at_rest: nothing is under way any more, so that all must be equal, and every end reached. Otherwise the provider
            may be ahead of us, and never behind.

    """
    provider, payments, journal = at_provider(books), in_payments(), in_books()
    orders = {str(public_id): (status, amount, currency) for public_id, status, amount, currency in
              Order.objects.values_list("public_id", "status", "amount", "currency")}  # fmt: skip
    found = [
        *_money(provider, payments, journal, orders, at_rest=at_rest),
        *_books_balance(),
        *_stock(),
        *_once(),
    ]
    if at_rest:
        found += [*_ends(payments, orders), *_left_over()]
    return found


def _money(
    provider: Sides, payments: Sides, journal: Sides, orders: Collection[str], *, at_rest: bool
) -> Iterator[str]:
    for order in sorted({*provider, *payments, *journal} & {*orders, *payments, *journal}):
        there, here, booked = provider[order], payments[order], journal[order]
        if len(there.captured) > 1:
            yield f"{order} was charged {len(there.captured)} times: {sorted(there.captured.values())}"
        if there.kept < 0 or here.kept < 0:
            yield f"{order}: more was given back than was captured: {there.refunded} of {there.captured}"
        if here != booked:
            yield f"{order}: payments say {here}, the books {booked}"
        if at_rest and here != there:
            yield f"{order}: payments say {here}, the provider {there}"
        if not (
            here.captured.items() <= there.captured.items()
            and here.refunded.items() <= there.refunded.items()
        ):
            yield f"{order}: payments say {here}, of which the provider knows only {there}"  # fmt: skip


def _books_balance() -> Iterator[str]:
    sums = Posting.objects.values("entry_id", "currency").annotate(total=Sum("amount")).exclude(total=0)
    for row in sums:
        yield f"entry {row['entry_id']} is off by {row['total']} {row['currency']}"
    over = PaymentAttempt.objects.exclude(refunded=0).values_list("pk", "refunded", "state", "amount")
    given = dict(
        Refund.objects.exclude(state=RefundState.FAILED)
        .values_list("attempt")
        .annotate(Sum("amount"))
        .order_by()
    )
    for pk, refunded, _state, amount in over:
        if refunded > amount or given.get(pk, 0) != refunded:
            yield f"attempt {pk} says that {refunded} of {amount} go back; its refunds say {given.get(pk, 0)}"


def _stock() -> Iterator[str]:
    held = Order.objects.filter(status__in=HOLDS_STOCK, lines__isnull=False)
    wanted = Counter(dict(held.values_list("lines__product").annotate(Sum("lines__quantity")).order_by()))
    for product, on_hand, reserved in StockItem.objects.values_list("product", "on_hand", "reserved"):
        if reserved != wanted[product] or on_hand < reserved:
            yield f"product {product}: {reserved} of {on_hand} reserved, live orders hold {wanted[product]}"


def _once() -> Iterator[str]:
    """What is told of an order or by the provider happens once, however often it is heard."""
    repeated = OrderEvent.objects.exclude(from_status="").values("order", "kind")
    for row in repeated.annotate(times=Count("pk")).filter(times__gt=1):
        yield f"order {row['order']} became {row['kind']} {row['times']} times"
    for event, times in Counter(WebhookEvent.objects.values_list("payload__id", flat=True)).items():
        if times > 1:
            yield f"webhook {event} was taken for {times}"


def _ends(payments: Sides, orders: dict[str, tuple[str, int, str]]) -> Iterator[str]:
    for order, (status, amount, currency) in sorted(orders.items()):
        side = payments[order]
        if status not in FINAL:
            yield f"{order} is still {status}"
        elif status in SOLD and (list(side.captured.values()) != [(amount, currency)] or not side.kept):
            yield f"{order} is {status}, and {side} is kept of {amount} {currency}"
        elif status not in SOLD and side.kept:
            yield f"{order} is {status}, and {side.kept} is kept"
        elif side.captured and not side.kept and status != Status.REFUNDED:
            yield f"{order} is {status}, and all was given back"


def _left_over() -> Iterator[str]:
    left = {
        "attempts without an outcome": PaymentAttempt.objects.open(),
        "refunds without an outcome": Refund.objects.open(),
        "webhooks that nobody has looked into": WebhookEvent.objects.filter(state=EventState.RECEIVED),
        "jobs that are owed or dead": Job.objects.all(),
    }
    for what, rows in left.items():
        if number := rows.count():
            yield f"{number} {what}, such as {rows[0]}"
