"""Does the money add up? What customers paid and were told, what the provider took, and what our books say, compared."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from django.db.models import Sum

from orders.models import Notification, Order, Sale
from orders.models.notification import NotificationKind
from orders.payments.models import (
    Account,
    AttemptState,
    EventState,
    Incident,
    JournalEntry,
    PaymentAttempt,
    Posting,
    Refund,
    RefundState,
    WebhookEvent,
)
from orders.states import Status
from proj.demo.provider import Money, ProvidersBooks
from proj.demo.reckoning import PAID, Check, total
from proj.demo.shoppers import Watched


def check_money(orders: Sequence[Watched], charges: Sequence[Money]) -> Iterator[Check]:
    """Compare the provider's books with payments, orders, sales and our books, to the minor unit."""
    paid = [order.document for order in orders if order.status in PAID]
    due = sum(document["amount"] for document in paid)
    yield Check("charges at the provider", len(paid), len(charges))
    order_of = dict(PaymentAttempt.objects.exclude(provider_ref="").values_list("provider_ref", "order_id"))
    times = Counter(order_of.get(charge.reference, charge.reference) for charge in charges)
    yield Check("orders charged twice", 0, sum(number > 1 for number in times.values()))
    yield Check("pence at the provider", due, sum(charge.amount for charge in charges))
    ours = PaymentAttempt.objects.filter(state=AttemptState.SUCCEEDED, order__status__in=PAID)
    matched = set(charges) ^ {Money(*row) for row in ours.values_list("provider_ref", "amount", "currency")}
    yield Check("charges only one side knows", 0, len(matched))
    yield Check("pence in paid orders", due, total(Order.objects.filter(status__in=PAID), "amount"))
    yield Check("pence in recorded sales", due, total(Sale.objects.all(), "amount"))
    yield Check("pence of sales in the journal", due, -_balance(Account.SALES))
    yield Check("payments without an outcome", 0, PaymentAttempt.objects.open().count())


def check_refunds(given_back: Mapping[str, int], refunds: Sequence[Money]) -> Iterator[Check]:
    """Compare what the clerk gave back, by the order's public id, with the provider's books and ours."""
    back = sum(given_back.values())
    yield Check("refunds at the provider", len(given_back), len(refunds))
    yield Check("pence given back at the provider", back, sum(refund.amount for refund in refunds))
    ours = Refund.objects.filter(state=RefundState.SUCCEEDED)
    matched = set(refunds) ^ {Money(*row) for row in ours.values_list("provider_ref", "amount", "currency")}
    yield Check("refunds only one side knows", 0, len(matched))
    refunded = PaymentAttempt.objects.filter(refunded__gt=0)
    of_orders = {(str(order), sum_) for order, sum_ in refunded.values_list("order__public_id", "refunded")}
    yield Check("orders with another sum given back", 0, len(of_orders ^ set(given_back.items())))
    yield Check("pence of refunds in the journal", back, _balance(Account.REFUNDS))
    entries = JournalEntry.objects.values("pk").annotate(total=Sum("postings__amount"))
    yield Check("entries that do not add up to zero", 0, entries.exclude(total=0).count())


def check_webhooks(books: ProvidersBooks) -> Iterator[Check]:
    """Look for events that were not delivered, not kept, or not seen to, and for what staff would have to see to."""
    yield Check("webhooks still to be delivered", [], books.undelivered)
    kept = set(WebhookEvent.objects.values_list("event_id", flat=True))
    yield Check("events only one side knows", 0, len(kept ^ set(books.events)))
    waiting = WebhookEvent.objects.filter(state__in=(EventState.RECEIVED, EventState.FAILED))
    yield Check("events not seen to", 0, waiting.count())
    yield Check("incidents", [], list(Incident.objects.values_list("summary", flat=True)))


def check_letters(orders: Sequence[Watched], given_back: Mapping[str, int]) -> Iterator[Check]:
    """Count the mails: each event tells its customer once."""
    told = Counter(order.status for order in orders)
    paid = sum(told[status] for status in PAID)
    due = {
        NotificationKind.FULFILLED: paid,
        NotificationKind.PAID: paid,
        NotificationKind.PAYMENT_FAILED: told[Status.PAYMENT_FAILED],
        NotificationKind.REFUNDED: len(given_back),
    }
    sent = Counter(Notification.objects.exclude(sent_at=None).values_list("kind", flat=True))
    yield Check(
        "customers written to",
        {str(kind): number for kind, number in sorted(due.items()) if number},
        dict(sorted(sent.items())),
    )


def _balance(account: Account) -> int:
    return total(Posting.objects.filter(account=account), "amount")
