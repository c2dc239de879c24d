from collections import Counter

import pytest
from celery import current_app
from django_celery_results.models import TaskResult

from orders import services
from orders.models import Order, Sale
from orders.services import LineRequest
from tests.factories import make_product, make_user
from tests.waiting import eventually

HOME = {
    "orders.validate_order": "default@test",
    "orders.reserve_stock": "default@test",
    "orders.charge_order": "io@test",
    "orders.fulfil_order": "default@test",
    "orders.notify_customer": "io@test",
    "orders.record_sale": "default@test",
}
#: That the payment has arrived: no step, and it need not hurry.
MAIL = {"orders.send_notification": "io@test"}


def place(**options) -> Order:
    product = make_product(on_hand=10)
    return services.place_order(make_user(), [LineRequest(product.sku, 2)], **options).order


def reach(order: Order, status: str) -> None:
    def look() -> bool:
        order.refresh_from_db()
        return order.status == status

    eventually(look, why=f"order {order.pk} did not become {status}")


def done(order: Order) -> dict[str, str]:
    """Return the worker of each task that has succeeded."""
    eventually(lambda: TaskResult.objects.filter(status="SUCCESS").count() >= len(HOME))
    return dict(TaskResult.objects.filter(status="SUCCESS").values_list("task_name", "worker"))


def test_an_order_goes_through_every_queue_to_its_end(shop, shared_sandbox):
    order = place()

    reach(order, "completed")
    eventually(lambda: done(order) == HOME | MAIL)
    stock = order.lines.get().product.stock
    assert (stock.on_hand, stock.reserved) == (8, 0)
    assert Sale.objects.get().amount == order.amount == 500
    assert shared_sandbox.charges_of(order.public_id) == [(500, "gbp")]
    assert {step.state for step in order.steps.all()} == {"succeeded"}
    assert TaskResult.objects.filter(task_name__startswith="orders.").count() == len(HOME | MAIL)


def test_an_express_order_stays_on_the_critical_queue(shop):
    order = place(express=True)

    reach(order, "completed")
    eventually(lambda: done(order) == dict.fromkeys(HOME, "critical@test") | MAIL)


def test_a_declined_card_ends_the_order_and_gives_the_stock_back(shop, shared_sandbox):
    order = place(payment_method="pm_card_chargeDeclined")

    reach(order, "payment_failed")
    stock = order.lines.get().product.stock
    assert (stock.on_hand, stock.reserved) == (10, 0)
    assert shared_sandbox.charges_of(order.public_id) == []


def test_many_orders_at_once_all_end_and_the_books_agree(shop, shared_sandbox):
    product = make_product(on_hand=15)
    customer = make_user()
    for _ in range(20):
        services.place_order(customer, [LineRequest(product.sku, 1)])

    def ends() -> Counter[str]:
        return Counter(Order.objects.values_list("status", flat=True))

    eventually(lambda: ends() == {"completed": 15, "out_of_stock": 5}, why=f"{ends()}")
    product.stock.refresh_from_db()
    assert (product.stock.on_hand, product.stock.reserved) == (0, 0)
    charged = [
        shared_sandbox.charges_of(order.public_id) for order in Order.objects.filter(status="completed")
    ]
    assert charged == [[(250, "gbp")]] * 15


@pytest.mark.parametrize("name", ["orders.charge_order", "orders.record_sale"])
def test_a_step_that_runs_again_changes_nothing(shop, shared_sandbox, ended, name):
    order = place()
    reach(order, "completed")
    done(order)
    events = order.events.count()

    assert ended(current_app.tasks[name].delay(order.pk)).status == "SUCCESS"

    assert order.events.count() == events
    assert Sale.objects.count() == 1
    assert shared_sandbox.charges_of(order.public_id) == [(500, "gbp")]
