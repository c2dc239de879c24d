"""Does it all add up? What customers were told, what the database holds, and what the provider took, compared."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyvips
from django.db.models import F, QuerySet, Sum
from django_celery_results.models import TaskResult

from orders.models import Order, OrderLine, OrderStep, StockItem
from orders.states import LIVE, Status
from proj.demo.client import ShopError
from proj.demo.sample import SampleOrder, SampleProduct
from proj.demo.shoppers import Watched
from proj.jobs.models import Job

SIZES = (512, 256, 128, 64, 32)
DECLINING = "pm_card_chargeDeclined"  # how the test cards that are declined begin
RAN = ("succeeded", "failed")
PAID = (
    Status.COMPLETED,
    Status.REFUNDED,
)  # how an order that was paid for ends: the clerk refunds after its end


class Check(NamedTuple):
    """One line of the reckoning: it agrees when both sides are equal."""

    name: str
    expected: object
    found: object

    @property
    def agrees(self) -> bool:
        return self.expected == self.found


def check_orders(orders: Sequence[Watched], products: Sequence[SampleProduct]) -> Iterator[Check]:
    """Compare the orders that customers placed and saw with those in the database."""
    told = Counter(order.status for order in orders)
    stored = Counter(Order.objects.values_list("status", flat=True))
    yield Check("orders placed, in the database", len(orders), stored.total())
    yield Check(
        "orders by status, as customers see it",
        dict(sorted(told.items())),
        dict(sorted(stored.items())),
    )
    yield Check("orders still under way", 0, sum(stored[status] for status in LIVE))
    prices = {product.sku: product.amount for product in products}
    listed = [
        sum(prices[sku] * n for sku, n in order.asked.lines.items())
        for order in orders
        if isinstance(order.asked, SampleOrder)
    ]
    yield Check(
        "orders not at list price",
        0,
        sum(order.document["amount"] != amount for order, amount in zip(orders, listed, strict=True)),
    )
    asked_to_fail = [
        order
        for order in orders
        if isinstance(order.asked, SampleOrder) and order.asked.payment_method.startswith(DECLINING)
    ]
    yield Check("declined cards that paid", 0, sum(order.status in PAID for order in asked_to_fail))
    yield Check(
        "good cards that were declined",
        0,
        told[Status.PAYMENT_FAILED] - sum(order.status == Status.PAYMENT_FAILED for order in asked_to_fail),
    )


def check_stock(products: Sequence[SampleProduct]) -> Iterator[Check]:
    """Compare what has left the stock with what was sold."""
    sold = dict(OrderLine.objects.filter(order__status__in=PAID).values_list("sku").annotate(Sum("quantity")))
    stock = dict(StockItem.objects.values_list("product__sku", "on_hand"))
    yield Check("pieces still reserved", 0, total(StockItem.objects.all(), "reserved"))
    wrong = [p.sku for p in products if stock[p.sku] != p.on_hand - sold.get(p.sku, 0) or stock[p.sku] < 0]
    yield Check("products with wrong stock", [], wrong)


def check_avatars(avatars: Sequence[Watched]) -> Iterator[Check]:
    """Fetch and decode every thumbnail of every picture."""
    yield Check("photographs ready", len(avatars), sum(avatar.status == "ready" for avatar in avatars))
    wrong = [f"{avatar.asked}: {problem}" for avatar in avatars for problem in _thumbnail_problems(avatar)]
    yield Check("photographs without five right thumbnails", [], wrong)


def check_jobs() -> Iterator[Check]:
    """Look for a result of every step that ran, and for work that was lost or is stuck."""
    ran = set(OrderStep.objects.filter(state__in=RAN).exclude(task_id="").values_list("task_id", flat=True))
    succeeded = set(TaskResult.objects.filter(status="SUCCESS").values_list("task_id", flat=True))
    yield Check("steps without a stored result", 0, len(ran - succeeded))
    yield Check(
        "steps still under way",
        0,
        OrderStep.objects.filter(state__in=("queued", "running", "retrying")).count(),
    )
    yield Check("jobs lost: still owed, or dead", 0, Job.objects.count())
    yield Check("tasks that failed", 0, TaskResult.objects.filter(status="FAILURE").count())
    yield Check("products oversold", 0, StockItem.objects.filter(reserved__gt=F("on_hand")).count())


def _thumbnail_problems(avatar: Watched) -> Iterator[str]:
    thumbnails = avatar.document["thumbnails"]
    if [thumbnail["size"] for thumbnail in thumbnails] != list(SIZES):
        yield f"sizes {[thumbnail['size'] for thumbnail in thumbnails]}"
    for thumbnail in thumbnails:
        try:
            image = pyvips.Image.new_from_buffer(
                avatar.customer.fetch(thumbnail["url"]), "", fail_on="warning"
            )
            image.avg()  # decodes every pixel
        except (ShopError, pyvips.Error) as error:
            yield f"{thumbnail['size']}: {error}"
        else:
            if (image.width, image.height) != (thumbnail["size"],) * 2:
                yield f"{thumbnail['size']}: is {image.width} x {image.height}"


def total(rows: QuerySet[Any], field: str) -> int:
    """Return the sum of a column."""
    return int(rows.aggregate(total=Sum(field, default=0))["total"])
