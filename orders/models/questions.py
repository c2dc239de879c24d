"""What people ask about orders, as conditions: a function for each parameter, which raises ValueError for nonsense."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import User
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable
from django.utils import timezone

from orders.models.catalogue import Product
from orders.models.order import OrderLine
from orders.money import DECIMALS
from orders.states import FINAL, LIVE, Status

#: What narrows a query; the stubs know conditions that are combined as the last.
Condition = Q | Exists | Combinable

#: An order that owes somebody something moves within seconds, and is set going again each half minute.
LATE_AFTER = timedelta(minutes=15)

#: What each choice is called.
STATUSES = {status.value: status.label for status in Status}
PROGRESS = {
    "live": "under way",
    "late": f"late: unmoved for {LATE_AFTER.seconds // 60} minutes",
    "over": "over",
}
PAYMENTS = {
    "none": "not asked for",
    "open": "without an outcome",
    "captured": "captured, nothing given back",
    "declined": "declined",
    "returning": "about to go back",
    "partly": "given back in part",
    "refunded": "given back, all of it",
}
EXPRESS = {"yes": "yes", "no": "no"}


def rows_of(model: str) -> Any:
    """The payments' models point at orders, and are not there yet when this module is imported."""
    return apps.get_model("payments", model)._default_manager.all()  # noqa: SLF001  documented in spite of its name


def _few(ids: "QuerySet[Any]") -> Q:
    """The orders of a subquery that finds few: read first, and sorted then.

    PostgreSQL would otherwise walk through the newest orders, and look into lines or payments for each, until a page is
    full: 12 s for a rare product among a million orders, instead of 0.05. A limit that is never reached keeps it from that.
    """
    return Q(pk__in=ids.order_by()[: 2**62])


def _find(text: str, _: Mapping[str, str]) -> Condition:
    """What the search box means: an order by its number or public id, else a customer."""
    if text.isdecimal():
        return Q(pk=_within_bigint(int(text)))
    try:
        return Q(public_id=UUID(text))
    except ValueError:
        return _customer(text, {})


def _within_bigint(number: int) -> int:
    if number >= 2**63:
        raise ValueError("no row has such a number")
    return number


def _customer(text: str, _: Mapping[str, str]) -> Condition:
    people = User.objects.filter(Q(username__icontains=text) | Q(email__icontains=text))
    return Q(customer__in=people.values("pk"))


def _sku(text: str, _: Mapping[str, str]) -> Condition:
    """By the product, which has an index; its lines carry copies of the SKU, which have none."""
    product = Product.objects.filter(sku__iexact=text).values("pk")
    return _few(OrderLine.objects.filter(product__in=product).values("order"))


def _status(text: str, _: Mapping[str, str]) -> Condition:
    return Q(status=Status(text))


def _progress(text: str, _: Mapping[str, str]) -> Condition:
    return {
        "live": Q(status__in=sorted(LIVE)),
        "late": Q(status__in=sorted(LIVE), updated_at__lt=timezone.now() - LATE_AFTER),
        "over": Q(status__in=sorted(FINAL)),
    }[_one_of(PROGRESS, text)]


def _payment(text: str, _: Mapping[str, str]) -> Condition:
    attempts = rows_of("PaymentAttempt").filter(order=OuterRef("pk"))
    refunded = rows_of("PaymentAttempt").filter(state="succeeded", refunded__gt=0)
    conditions: dict[str, Condition] = {
        "none": ~Exists(attempts),
        "open": _few(rows_of("PaymentAttempt").open().values("order")),
        "captured": Exists(attempts.filter(state="succeeded", refunded=0)),
        "declined": Exists(attempts.filter(state__in=["declined", "voided"])) & ~Exists(attempts.live()),
        "returning": _few(rows_of("Refund").open().values("attempt__order")),
        "partly": _few(refunded.filter(refunded__lt=F("amount")).values("order")),
        "refunded": _few(refunded.filter(refunded=F("amount")).values("order")),
    }
    return conditions[_one_of(PAYMENTS, text)]


def _express(text: str, _: Mapping[str, str]) -> Condition:
    return Q(express=_one_of(EXPRESS, text) == "yes")


def _currency(text: str, _: Mapping[str, str]) -> Condition:
    if not (len(text) == 3 and text.isascii() and text.isalpha()):  # noqa: PLR2004  ISO 4217
        raise ValueError("a currency has three letters")
    return Q(currency=text.upper())


def _since(text: str, _: Mapping[str, str]) -> Condition:
    return Q(placed_at__gte=_midnight(date.fromisoformat(text)))


def _until(text: str, _: Mapping[str, str]) -> Condition:
    """The day is part of it."""
    return Q(placed_at__lt=_midnight(date.fromisoformat(text) + timedelta(days=1)))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))  # noqa: DTZ001  aware in the next moment


def _least(text: str, asked: Mapping[str, str]) -> Condition:
    return _amount("gte", text, asked.get("currency", ""))


def _most(text: str, asked: Mapping[str, str]) -> Condition:
    return _amount("lte", text, asked.get("currency", ""))


def _amount(lookup: str, text: str, currency: str) -> Condition:
    """Compare in each currency's own unit: without a currency, 100 are 100 yen, 100 pounds or 100 dinars."""
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation as error:
        raise ValueError("no number") from error
    if not value.is_finite() or abs(value) >= Decimal(10) ** 12:
        raise ValueError("no amount")

    def compare(decimals: int) -> Condition:
        return Q(**{f"amount__{lookup}": value.scaleb(decimals)})

    if currency:
        return compare(DECIMALS.get(currency.upper(), 2))
    by_decimals = {
        decimals: sorted(code for code, own in DECIMALS.items() if own == decimals)
        for decimals in sorted(set(DECIMALS.values()))
    }
    found = ~Q(currency__in=sorted(DECIMALS)) & compare(2)
    for decimals, codes in by_decimals.items():
        found |= Q(currency__in=codes) & compare(decimals)
    return found


def _one_of(choices: Mapping[str, str], text: str) -> str:
    if text not in choices:
        raise ValueError(f"{text} is none of {', '.join(choices)}")
    return text


#: What can be asked, by the name of the parameter.
QUESTIONS: Mapping[str, Callable[[str, Mapping[str, str]], Condition]] = {
    "q": _find,
    "status": _status,
    "progress": _progress,
    "payment": _payment,
    "express": _express,
    "currency": _currency,
    "since": _since,
    "until": _until,
    "least": _least,
    "most": _most,
    "customer": _customer,
    "sku": _sku,
}
