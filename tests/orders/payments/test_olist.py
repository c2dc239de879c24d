"""A hundred thousand real payments, each through an attempt of its own at the provider, and then through reconciliation.

    OLIST_PAYMENTS=olist_order_payments_dataset.csv[.xz] pytest tests/orders/payments/test_olist.py

"Brazilian E-Commerce Public Dataset by Olist", https://www.kaggle.com/datasets/olistbr/brazilian-ecommerce, by Olist, under CC
BY-NC-SA 4.0: not ours to hand on, so it is not here. OLIST_LIMIT=N takes the first N payments. Takes about half an hour.

Every payment becomes an order of its own: a part of an order that was paid in parts is one, and so is a payment by instalments,
which are between the customer and the bank. All are paid with a test card.
"""

import csv
import logging
import lzma
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from orders.models import Order, OrderLine, Product, StockItem
from orders.payments.charging import charge_order
from orders.payments.gateway import Declined
from orders.payments.models import Provider
from orders.payments.reconciling import GRACE, Window, reconcile
from orders.payments.stripe import StripeGateway
from orders.states import Status
from proj.jobs.testing import without_broker
from tests import ledgers
from tests.chaos import report
from tests.factories import make_product, make_user
from tests.orders.payments.faults import passing
from tests.sandbox import KEY, Sandbox

FILE = os.environ.get("OLIST_PAYMENTS", "")
LIMIT = int(os.environ.get("OLIST_LIMIT") or sys.maxsize)
AT_ONCE = 8
BATCH = 2000
CENTAVOS = 100

pytestmark = [
    pytest.mark.skipif(not FILE, reason="OLIST_PAYMENTS does not name the file of Olist's payments"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3 * 3600),
]


class Part(NamedTuple):
    order: str  # Olist's
    centavos: int
    instalments: int


def read_parts() -> Iterator[Part]:
    opened = lzma.open if FILE.endswith(".xz") else open
    with opened(Path(FILE), "rt", encoding="utf-8", newline="") as file:
        for row in islice(csv.DictReader(file), LIMIT):
            centavos = Decimal(row["payment_value"]) * CENTAVOS
            assert centavos == int(centavos)
            yield Part(row["order_id"], int(centavos), int(row["payment_installments"]))


@pytest.fixture
def provider(sandbox, settings) -> Iterator[Sandbox]:
    """One with empty books, and nobody who writes down each of a hundred thousand jobs."""
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = KEY, sandbox.url
    logging.disable(logging.INFO)
    yield sandbox
    logging.disable(logging.NOTSET)


def test_every_side_knows_the_same_to_the_centavo(provider, capsys):
    Provider.objects.create(name="stripe", calls_per_second=10_000)
    parts = list(read_parts())
    zeros = [part for part in parts if not part.centavos]
    wanted = [part for part in parts if part.centavos]
    refusals = Counter(_refusal_of_nothing() for _ in zeros)

    orders = _reserve(wanted)
    began = time.monotonic()
    with without_broker(), ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_charge, [orders[place::AT_ONCE] for place in range(AT_ONCE)]))
    seconds = time.monotonic() - began
    passing.age(provider.books, GRACE.total_seconds() + 1)  # reconciliation leaves alone what is under way
    found = reconcile(Window(timezone.now() - timedelta(days=1), timezone.now() - GRACE))

    statuses = Counter(Order.objects.values_list("status", "reason"))
    there, here, booked = ledgers.at_provider(provider.books), ledgers.in_payments(), ledgers.in_books()
    olists = dict(zip(orders, wanted, strict=True))
    failed = set(Order.objects.filter(status=Status.PAYMENT_FAILED).values_list("pk", flat=True))
    public = dict(Order.objects.values_list("pk", "public_id"))
    due: defaultdict[str, int] = defaultdict(int)
    taken: defaultdict[str, int] = defaultdict(int)
    for pk, part in olists.items():
        due[part.order] += 0 if pk in failed else part.centavos
        taken[part.order] += there[str(public[pk])].captured_sum
    with capsys.disabled():
        rows = [
            ("payments in the file", len(parts)),
            ("of orders", len({part.order for part in parts})),
            ("orders paid in parts", sum(n > 1 for n in Counter(part.order for part in parts).values())),
            ("by instalments", sum(part.instalments > 1 for part in parts)),
            *((f"of 0.00, refused: {text}", number) for text, number in refusals.items()),
            *((" ".join(status).strip(), number) for status, number in statuses.items()),
            ("BRL in the file", sum(part.centavos for part in parts) / CENTAVOS),
            *((f"BRL {name}", sum(s.captured_sum for s in side.values()) / CENTAVOS)
              for name, side in (("at the provider", there), ("in payments", here), ("in the journal", booked))),
            ("differences that reconciliation found", len(found.differences)),
            ("seconds of reconciliation", round(found.seconds, 1)),
            ("payments a second", round(len(wanted) / seconds, 1)),
        ]  # fmt: skip
        sys.stdout.write("\n" + report.table("Olist's payments", ("", ""), rows) + "\n")

    assert set(refusals) <= {"This amount cannot be paid by card."}
    assert {status for status, _ in statuses} <= {Status.PAID, Status.PAYMENT_FAILED}
    assert all(olists[pk].centavos < 50 for pk in failed)  # Stripe's least in BRL
    assert ledgers.differences(provider.books, at_rest=False) == []
    assert {k: v for k, v in there.items() if k in here} == here == booked
    assert due == taken
    assert found.open == 0


def _refusal_of_nothing() -> str:
    """What the provider's client says to a charge of nothing. No order can be of nothing: the database refuses it."""
    gateway = StripeGateway(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE)
    with pytest.raises(Declined) as refusal:
        gateway.charge(key="nothing", amount=0, currency="BRL", payment_method="pm_card_visa", metadata={})
    return str(refusal.value)


def _reserve(parts: list[Part]) -> list[int]:
    """An order for each, its stock held; returns their numbers."""
    customer, product = (
        make_user(),
        make_product("PART", on_hand=len(parts), reserved=len(parts), currency="BRL"),
    )
    made: list[int] = []
    for start in range(0, len(parts), BATCH):
        batch = parts[start : start + BATCH]
        orders = Order.objects.bulk_create(
            Order(customer=customer, amount=part.centavos, currency="BRL", status=Status.RESERVED)
            for part in batch
        )
        OrderLine.objects.bulk_create(_line(order, product) for order in orders)
        made += [order.pk for order in orders]
    assert StockItem.objects.get().reserved == len(made)
    return made


def _line(order: Order, product: Product) -> OrderLine:
    return OrderLine(
        order=order, product=product, sku=product.sku, name=product.name, quantity=1, amount=order.amount
    )


def _charge(orders: list[int]) -> None:
    try:
        for order_id in orders:
            charge_order(order_id)
    finally:
        connection.close()  # this thread's own
