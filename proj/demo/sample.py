"""Products and orders out of the retail sample: real invoices, cleaned.

What is left out, and why:

- invoices whose number begins with a letter (C: cancelled, A: adjustment of bad debt): not orders;
- rows with no quantity or price above zero: returns, samples, write-offs;
- rows whose stock code is not five digits with up to two letters: postage, fees, vouchers, "manual";
- rows whose price is not a whole number of pence: nobody can be charged for a tenth of one.

What is put together: stock codes that differ only by case are one product; a product twice in an invoice is one line.
A product has its commonest name and its commonest price; an order is charged at that price, as in any shop.
"""

import csv
import lzma
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from proj.demo.cut import DATA

Value = TypeVar("Value")

PENCE = 100
STOCK_CODE = re.compile(r"\d{5}[A-Z]{0,2}")
PLENTY = 100  # the least that there is of a product which is not scarce
# Every so many orders: fast delivery, a card that is declined, one without funds. Primes, so that they mix.
EXPRESS_EVERY, DECLINED_EVERY, POOR_EVERY = 7, 23, 31
# One product in so many has less stock than people want, so that a few orders in a hundred find none.
SCARCE_EVERY = 150


class SampleProduct(NamedTuple):
    """A product to sell: ``amount`` is its price in pence, ``on_hand`` how many there are."""

    sku: str
    name: str
    amount: int
    on_hand: int


class SampleOrder(NamedTuple):
    """An order to place: ``lines`` are quantities by sku, ``payment_method`` a test card of the payment provider."""

    invoice: str
    lines: dict[str, int]
    express: bool
    payment_method: str


class _Row(NamedTuple):
    invoice: str
    sku: str
    name: str
    quantity: int
    amount: int


def products() -> list[SampleProduct]:
    """Return every product of the sample, in order of sku."""
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    amounts: defaultdict[str, Counter[int]] = defaultdict(Counter)
    wanted: Counter[str] = Counter()
    for row in _rows():
        names[row.sku][row.name] += 1
        amounts[row.sku][row.amount] += 1
        wanted[row.sku] += row.quantity
    return [
        SampleProduct(sku, _commonest(names[sku]), _commonest(amounts[sku]), _stock(place, wanted[sku]))
        for place, sku in enumerate(sorted(wanted))
    ]


def orders(limit: int | None = None) -> list[SampleOrder]:
    """Return the sample's orders as they were placed, the first ``limit`` of them."""
    invoices: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in _rows():
        invoices[row.invoice][row.sku] += row.quantity
    return [
        SampleOrder(invoice, dict(lines), place % EXPRESS_EVERY == 0, _payment_method(place))
        for place, (invoice, lines) in enumerate(invoices.items(), start=1)
    ][:limit]


def pictures() -> list[Path]:
    """Return the photographs, each a different file; data/pictures.csv says whose they are."""
    return sorted((DATA / "pictures").iterdir())


@cache
def _rows() -> tuple[_Row, ...]:
    with lzma.open(DATA / "retail.csv.xz", "rt", encoding="utf-8", newline="") as file:
        return tuple(_clean(csv.DictReader(file)))


def _clean(rows: Iterator[dict[str, str]]) -> Iterator[_Row]:
    for row in rows:
        sku = row["StockCode"].strip().upper()
        name = " ".join(row["Description"].split()).capitalize()
        quantity = int(row["Quantity"])
        pence = Decimal(row["UnitPrice"]) * PENCE
        is_order = row["InvoiceNo"].isdigit() and STOCK_CODE.fullmatch(sku) and name
        if is_order and quantity > 0 and pence > 0 and pence == int(pence):
            yield _Row(row["InvoiceNo"], sku, name, quantity, int(pence))


def _commonest(counted: Counter[Value]) -> Value:
    return counted.most_common(1)[0][0]


def _stock(place: int, wanted: int) -> int:
    return wanted // 3 if place % SCARCE_EVERY == 1 else max(wanted, PLENTY)


def _payment_method(place: int) -> str:
    if place % DECLINED_EVERY == 0:
        return "pm_card_chargeDeclined"
    if place % POOR_EVERY == 0:
        return "pm_card_chargeDeclinedInsufficientFunds"
    return "pm_card_visa"
