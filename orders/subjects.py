"""Tells whose order a task works on, for the jobs API and the admin."""

from collections.abc import Sequence

from django.urls import reverse

from orders.models import Notification, Order, OrderStep
from proj.jobs import subjects
from proj.jobs.subjects import Subject


def register_all() -> None:
    """Make known what an order is, and a mail about one."""
    subjects.register("order", resolve_order, find=find_order, task_ids=tasks_of_order)
    subjects.register("notification", resolve_notification)


def resolve_order(identity: str) -> Subject | None:
    """Return the order with a primary key."""
    return _subject(Order.objects.filter(pk=identity).first() if identity.isdecimal() else None)


def resolve_notification(identity: str) -> Subject | None:
    """Return the mail with a primary key: it is seen where its order is."""
    mails = Notification.objects.select_related("order")
    mail = mails.filter(pk=identity).first() if identity.isdecimal() else None
    if mail is None:
        return None
    return Subject(
        f"notification:{mail.pk}",
        mail.order.customer_id,
        mail.order.get_absolute_url(),
        _staff_url(mail.order),
    )


def find_order(task_id: str) -> Subject | None:
    """Return the order one of whose steps the task is, or None."""
    # An empty id would find the steps that have not begun.
    step = OrderStep.objects.select_related("order").filter(task_id=task_id).first() if task_id else None
    return _subject(step.order if step is not None else None)


def tasks_of_order(identity: str) -> Sequence[str]:
    """Return the ids of the tasks that are the steps of an order."""
    if not identity.isdecimal():
        return []
    steps = OrderStep.objects.filter(order_id=identity).exclude(task_id="")
    return list(steps.values_list("task_id", flat=True))


def _subject(order: Order | None) -> Subject | None:
    if order is None:
        return None
    return Subject(f"order:{order.pk}", order.customer_id, order.get_absolute_url(), _staff_url(order))


def _staff_url(order: Order) -> str:
    """Return where staff look at an order: its customer's page is its customer's alone."""
    return reverse("admin:orders_order_change", args=[order.pk])
