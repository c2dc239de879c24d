from collections.abc import Callable
from datetime import date

import pytest
from django.contrib.auth.models import Permission, User

from orders.models import Order, Sale
from reports.models import Report

JANUARY = (date(2026, 1, 1), date(2026, 1, 31))


@pytest.fixture
def shopper(db) -> User:
    return User.objects.create_user("shopper", "shopper@example.com", "a long password")


@pytest.fixture
def clerk(db) -> User:
    """Staff without a permission."""
    return User.objects.create_user("clerk", "clerk@example.com", "a long password", is_staff=True)


@pytest.fixture
def analyst(db) -> User:
    """Staff who may ask for reports."""
    user = User.objects.create_user("analyst", "analyst@example.com", "a long password", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_report"))
    return user


@pytest.fixture
def sell(shopper) -> Callable[..., Sale]:
    """Put an order into the books."""

    def sell(day: date, amount: int = 1000, *, currency: str = "GBP", items: int = 1) -> Sale:
        order = Order.objects.create(customer=shopper, amount=amount, currency=currency)
        return Sale.objects.create(order=order, day=day, amount=amount, currency=currency, items=items)

    return sell


@pytest.fixture
def make_report(db) -> Callable[..., Report]:
    """Store a report without starting its work."""

    def make_report(first: date = JANUARY[0], last: date = JANUARY[1], **fields) -> Report:
        return Report.objects.create(
            date_from=first, date_to=last, progress_total=(last - first).days + 1, **fields
        )

    return make_report
