"""The reckoning must see every kind of disagreement: a demo that cannot fail proves nothing."""

import pytest
from django_celery_results.models import TaskResult

from orders.models import OrderStep, StockItem
from orders.payments.models import AttemptState, PaymentAttempt
from orders.states import Status
from proj.demo.provider import Charge
from proj.demo.reckoning import check_jobs, check_money, check_orders, check_stock
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
    """A completed order of two, paid with pi_1."""
    order = make_order({product: 2}, status=Status.COMPLETED)
    PaymentAttempt.objects.create(
        order=order,
        number=1,
        idempotency_key="1",
        amount=590,
        currency="GBP",
        payment_method="pm_card_visa",
        state=AttemptState.SUCCEEDED,
        provider_ref="pi_1",
    )
    return order


@pytest.fixture
def seen(order) -> list[Watched]:
    asked = SampleOrder("536365", {"85123A": 2}, express=False, payment_method="pm_card_visa")
    return [Watched(None, asked, {"id": str(order.public_id), "status": "completed", "amount": 590})]


CHARGE = Charge("pi_1", 590, "GBP")


def test_what_adds_up_is_found_to_add_up(seen, products):
    checks = [*check_orders(seen, products), *check_money(seen, [CHARGE]), *check_stock(products)]
    assert wrong(checks) == []


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
    ("charges", "expected"),
    [
        ([], ["charges at the provider", "pence at the provider", "charges only one side knows"]),
        ([CHARGE, CHARGE], ["charges at the provider", "orders charged twice", "pence at the provider"]),
        ([Charge("pi_1", 591, "GBP")], ["pence at the provider", "charges only one side knows"]),
        ([Charge("pi_2", 590, "GBP")], ["charges only one side knows"]),
        ([Charge("pi_1", 590, "EUR")], ["charges only one side knows"]),
    ],
)
def test_a_charge_that_is_missing_double_or_different_is_seen(seen, charges, expected):
    assert wrong(check_money(seen, charges)) == expected


def test_a_sale_that_was_not_recorded_is_seen(seen, order):
    order.sale.delete()
    assert wrong(check_money(seen, [CHARGE])) == ["pence in recorded sales"]


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
