"""The steps of an order as tasks. Each may run twice, late or beside itself; `pipeline` puts them together.

The limits: a step is a handful of queries, a few milliseconds. 20 s is a database that is in trouble, and the
retry that follows finds the order as it was. A call to the outside has time-outs of its own, below its soft limit.
"""

from celery import shared_task
from django.conf import settings

from orders import services
from orders.payments import charging
from orders.states import Step
from orders.steps import OrderTask
from proj.jobs.task import JobTask


@shared_task(
    base=OrderTask,
    name="orders.validate_order",
    step=Step.VALIDATE,
    queue="default",
    soft_time_limit=20,
    time_limit=30,
)
def validate_order(order_id: int) -> str:
    """Check again what was true when the order was placed."""
    return services.validate_order(order_id).status


@shared_task(
    base=OrderTask,
    name="orders.reserve_stock",
    step=Step.RESERVE_STOCK,
    queue="default",
    soft_time_limit=20,
    time_limit=30,
)
def reserve_stock(order_id: int) -> str:
    """Hold the order's stock, all of it or none."""
    return services.reserve_stock(order_id).status


@shared_task(
    base=OrderTask,
    name="orders.charge_order",
    step=Step.CHARGE,
    queue="io",
    soft_time_limit=60,
    time_limit=75,
)
def charge_order(order_id: int) -> None:
    """Ask the provider for the money; asked again, it is the same charge."""
    charging.charge_order(order_id)


@shared_task(
    base=OrderTask,
    name="orders.fulfil_order",
    step=Step.FULFIL,
    queue="default",
    soft_time_limit=20,
    time_limit=30,
)
def fulfil_order(order_id: int) -> str:
    """Take the order's goods out of the stock."""
    return services.fulfil_order(order_id).status


@shared_task(
    base=OrderTask,
    name="orders.notify_customer",
    step=Step.NOTIFY_CUSTOMER,
    queue="io",
    soft_time_limit=45,
    time_limit=60,
)
def notify_customer(order_id: int) -> str:
    """Write to the customer, once."""
    return services.notify_customer(order_id).status


@shared_task(
    base=JobTask,
    name="orders.send_notification",
    subject="notification",
    queue="io",
    soft_time_limit=45,
    time_limit=60,
)
def send_notification(notification_id: int) -> str:
    """Tell a customer about one event of an order, once."""
    return services.send_notification(notification_id).status


@shared_task(
    base=OrderTask,
    name="orders.record_sale",
    step=Step.RECORD_SALE,
    queue="default",
    soft_time_limit=20,
    time_limit=30,
)
def record_sale(order_id: int) -> str:
    """Enter the order in the books."""
    return services.record_sale(order_id).status


@shared_task(
    base=JobTask,
    name="orders.abandon_order",
    subject="order",
    queue="default",
    soft_time_limit=20,
    time_limit=30,
)
def abandon_order(order_id: int) -> str:
    """Give up an order one of whose steps failed for good, unless a payment has been started."""
    return services.abandon_order(order_id, reason="It could not be processed.").status


@shared_task(
    base=JobTask,
    name="orders.resume_stuck_orders",
    queue="default",
    schedulable=True,
    soft_time_limit=60,
    time_limit=90,
)
def resume_stuck_orders() -> int:
    """Set going again what has not moved for a while: its message was lost."""
    return services.resume_stuck_orders(older_than=settings.ORDERS_STUCK_AFTER)
