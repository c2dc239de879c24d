"""How a soak ends: does it all add up?"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db.models import F, Sum
from django_celery_results.models import TaskResult

from media.models import Avatar
from orders.models import Order, OrderEvent, OrderLine, StockItem
from orders.payments.looking import VOID_AFTER
from orders.payments.models import Incident, PaymentAttempt, Refund, RefundState
from orders.states import FINAL, Status
from proj.api.models import Token
from proj.demo import sample
from proj.demo.client import Customer
from proj.demo.reckoning import Check, check_avatars, check_jobs, check_orders
from proj.demo.shoppers import Watched
from proj.jobs.models import Chord, Job
from proj.servers.launch import System
from tests import ledgers
from tests.chaos.clerk import Clerk
from tests.chaos.crowd import Crowd, insist

# The last jobs end a moment after what they are about; what nobody asks for any more is looked up each minute.
SETTLE_SECONDS = 180.0
BOOKS = "payment_sandbox.sqlite3"


def customers(url: str, number: int) -> list[Customer]:
    """Return new people with tokens."""
    users = get_user_model().objects
    people = [
        users.create_user(name, f"{name}@example.com") for name in (f"person{n:05}" for n in range(number))
    ]
    return [Customer(url, Token.issue(person)[1]) for person in people]


def watch(everything: Sequence[Watched], seconds: float) -> list[Watched]:
    """Look at everything until it has ended, for at most so many seconds; return what has not."""
    deadline = time.monotonic() + seconds
    left = list(everything)
    while left and time.monotonic() < deadline:
        for each in left:
            insist(each.look)
        left = [each for each in left if not each.has_ended]
    return left


def reckon(system: System, crowd: Crowd, clerk: Clerk, left: Sequence[Watched]) -> list[Check]:
    """Compare both sides of everything, until they agree or have had their time."""
    deadline = time.monotonic() + SETTLE_SECONDS
    aged = False
    while True:
        checks = _reckon(system, crowd, clerk, left)
        if all(check.agrees for check in checks) or time.monotonic() > deadline:
            return checks
        if not aged and time.monotonic() > deadline - SETTLE_SECONDS / 2:
            aged = True
            _let_requests_grow_old()
        time.sleep(1)


def _let_requests_grow_old() -> None:
    """Spare the ten minutes after which a request that the provider does not know of counts as never having arrived."""
    ended = PaymentAttempt.objects.open().filter(order__status__in=FINAL)
    ended.update(updated_at=F("updated_at") - VOID_AFTER, created_at=F("created_at") - VOID_AFTER)


def _reckon(system: System, crowd: Crowd, clerk: Clerk, left: Sequence[Watched]) -> list[Check]:
    orders = [each for each in crowd.asked if each.is_order]
    pictures = [each for each in crowd.asked if not each.is_order]
    for order in orders:
        if order.document["id"] in clerk.given_back.keys() | crowd.cancelled:
            insist(order.look)  # money may have gone back since it had ended
    owed = Counter(f"{task} {state}" for task, state in Job.objects.values_list("task", "state"))
    in_use = Avatar.objects.ready()
    superseded = [each for each in pictures if each.status == "superseded"]  # somebody asked twice
    return [
        Check("wishes that were refused", [], crowd.refusals),
        Check("wishes that have not ended", 0, len(left)),
        *check_orders(orders, sample.products()),
        *check_money(system.var_dir / BOOKS),
        *check_second_thoughts(crowd, clerk),
        *check_stock(),
        *check_avatars([each for each in pictures if each not in superseded]),
        Check("people with a picture in use", len(pictures), in_use.values("owner").distinct().count()),
        Check("pictures in use", len(pictures), in_use.count()),
        *check_jobs(),
        Check("jobs that are owed or dead", {}, dict(owed)),
        Check("chords that are open", 0, Chord.objects.count()),
        Check("results of one job, stored twice", 0, _twice()),
    ]


def check_money(books: Path) -> Iterator[Check]:
    """Compare the provider's file with payments, the journal and orders, to the minor unit and one by one."""
    sides = {
        "payments": ledgers.in_payments(),
        "the journal": ledgers.in_books(),
        "the provider's books": ledgers.at_provider(books),
    }
    sums = {
        name: (
            sum(each.captured_sum for each in side.values()),
            sum(each.given_back for each in side.values()),
        )
        for name, side in sides.items()
    }
    provider = sums.pop("the provider's books")
    for name, found in sums.items():
        yield Check(f"pence captured and given back, in {name}", provider, found)
    kept = Order.objects.filter(status__in=[Status.FULFILLED, Status.COMPLETED])
    partly = Refund.objects.filter(state=RefundState.SUCCEEDED, attempt__order__in=kept)
    ours = sum(kept.values_list("amount", flat=True)) - sum(partly.values_list("amount", flat=True))
    yield Check("pence kept, in orders that are complete", provider[0] - provider[1], ours)
    twice = [order for order, side in sides["the provider's books"].items() if len(side.captured) > 1]
    yield Check("orders charged twice", [], twice)
    yield Check("differences between the ledgers", [], ledgers.differences(books))
    yield Check(
        "incidents", [], list(Incident.objects.filter(closed_at=None).values_list("summary", flat=True))
    )


def check_second_thoughts(crowd: Crowd, clerk: Clerk) -> Iterator[Check]:
    """Compare what was called off and given back with what was promised."""
    called_off = Order.objects.filter(public_id__in=crowd.cancelled)
    wrong = called_off.exclude(status__in=[Status.CANCELLED, Status.REFUNDED])
    yield Check("cancelled orders that went on", 0, wrong.count())
    asked = Refund.objects.filter(requested_by="clerk").exclude(state=RefundState.FAILED)
    told = {str(order): amount for order, amount in asked.values_list("attempt__order__public_id", "amount")}
    yield Check("refunds that only one side knows", 0, len(set(told.items()) ^ set(clerk.given_back.items())))


def check_stock() -> Iterator[Check]:
    """Compare what has left the stock with what was sent, whatever was given back for it since."""
    sent = OrderEvent.objects.filter(to_status=Status.FULFILLED).exclude(from_status="").values("order")
    gone = dict(
        OrderLine.objects.filter(order__in=sent).values_list("sku").annotate(Sum("quantity")).order_by()
    )
    stock = dict(StockItem.objects.values_list("product__sku", "on_hand"))
    wrong = [
        p.sku for p in sample.products() if stock[p.sku] != p.on_hand - gone.get(p.sku, 0) or stock[p.sku] < 0
    ]
    yield Check("products with wrong stock", [], wrong)
    yield Check("pieces still reserved", 0, sum(StockItem.objects.values_list("reserved", flat=True)))


def _twice() -> int:
    counted = Counter(TaskResult.objects.values_list("task_id", flat=True))
    return sum(1 for number in counted.values() if number > 1)
