"""The reckoning must see every kind of disagreement: a demo that cannot fail proves nothing."""

import pytest
from django_celery_results.models import TaskResult

from orders.models import OrderStep, StockItem
from orders.states import Status
from proj.demo.reckoning import check_jobs, check_orders, check_stock
from proj.demo.sample import SampleOrder, SampleProduct
from proj.demo.shoppers import Watched
from tests.factories import make_order, make_product

pytestmark = pytest.mark.django_db


def wrong(checks) -> list[str]:
    return [check.name for check in checks if not check.agrees]


@pytest.fixture
def product():
    return make_product("85123A", amount=295, on_hand=10)


@pytest.fixture
def products() -> list[SampleProduct]:
    return [SampleProduct("85123A", "Holder", 295, 10)]


@pytest.fixture
def order(product):
    """A completed order of two."""
    return make_order({product: 2}, status=Status.COMPLETED)


@pytest.fixture
def seen(order) -> list[Watched]:
    asked = SampleOrder("536365", {"85123A": 2}, express=False, payment_method="pm_card_visa")
    return [Watched(None, asked, {"id": str(order.public_id), "status": "completed", "amount": 590})]


def test_what_adds_up_is_found_to_add_up(seen, products):
    assert wrong([*check_orders(seen, products), *check_stock(products)]) == []


def test_an_order_that_is_in_the_database_twice_is_seen(seen, products, product):
    make_order({product: 2}, status=Status.CANCELLED)
    assert wrong(check_orders(seen, products)) == [
        "orders placed, in the database",
        "orders by status, as customers see it",
    ]


def test_an_order_that_has_not_ended_is_seen(seen, products, order):
    type(order).objects.update(status=Status.PAID)
    assert wrong(check_orders(seen, products)) == [
        "orders by status, as customers see it",
        "orders still under way",
    ]


def test_an_order_at_another_price_is_seen(seen, products):
    seen[0].document["amount"] = 591
    assert wrong(check_orders(seen, products)) == ["orders not at list price"]


def test_a_declined_card_that_paid_is_seen(seen, products):
    seen[0].asked = seen[0].asked._replace(payment_method="pm_card_chargeDeclined")
    assert wrong(check_orders(seen, products)) == ["declined cards that paid"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"reserved": 1}, ["pieces still reserved"]), ({"on_hand": 9}, ["products with wrong stock"])],
)
def test_stock_that_is_still_held_or_does_not_match_the_sales_is_seen(seen, products, change, expected):
    StockItem.objects.update(**change)
    assert wrong(check_stock(products)) == expected


def test_a_step_without_a_result_a_failed_task_and_a_step_under_way_are_seen(order):
    OrderStep.objects.update(state="succeeded", task_id="")
    step = OrderStep.objects.first()
    step.task_id = "a task"
    step.save()
    assert wrong(check_jobs()) == ["steps without a stored result"]
    result = TaskResult.objects.create(task_id="a task", status="SUCCESS")
    assert wrong(check_jobs()) == []
    result.status = "FAILURE"
    result.save()
    step.state = "running"
    step.save()
    assert wrong(check_jobs()) == ["steps still under way", "tasks that failed"]
