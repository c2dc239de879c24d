"""What an order and its payments can disagree about. One statement for each question, so that it is one snapshot.

Each check takes the orders to look at and yields what differs, whether there are a hundred thousand of them or one.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from django.db.models import Exists, F, OuterRef, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from orders.models import Order
from orders.money import format_money
from orders.payments.models import (
    OPEN,
    AttemptState,
    IncidentKind,
    PaymentAttempt,
    Refund,
    RefundState,
)
from orders.payments.reconciling.capture_checks import ENDED_UNPAID
from orders.payments.reconciling.difference import GRACE, Difference, Window
from orders.payments.reconciling.owed import is_owed
from orders.states import Status

Check = Callable[[QuerySet[Order]], Iterator[Difference]]

#: The order says that it was paid.
PAID: Final = (Status.PAID, Status.FULFILLED, Status.COMPLETED, Status.REFUNDED)
#: The order says that no payment was asked for.
UNASKED: Final = (Status.PLACED, Status.VALIDATED, Status.RESERVED, Status.REJECTED, Status.OUT_OF_STOCK)
#: The order may become `refunded` from here.
REFUNDABLE: Final = (Status.COMPLETED, Status.CANCELLED, Status.PAYMENT_FAILED)

_ATTEMPTS = PaymentAttempt.objects.filter(order=OuterRef("pk"))
CAPTURED = Exists(_ATTEMPTS.filter(state=AttemptState.SUCCEEDED))
ASKED = Exists(_ATTEMPTS.filter(state__in=OPEN))


def orders_in(window: Window) -> QuerySet[Order]:
    """Those placed in the window, and older ones with a refund from it; none that has just moved, or has a job to come."""
    lately = Refund.objects.filter(created_at__gte=window.since).order_by().values("attempt__order")
    placed = Order.objects.filter(placed_at__gte=window.since).order_by().values("pk")
    return settled_only(Order.objects.filter(pk__in=placed.union(lately)))


def settled_only(orders: QuerySet[Order], grace: timedelta = GRACE) -> QuerySet[Order]:
    """Those of `orders` that are not on their way to anywhere."""
    limit = timezone.now() - grace
    moving = Exists(_ATTEMPTS.filter(updated_at__gt=limit))
    return orders.filter(updated_at__lte=limit).exclude(is_owed("order")).exclude(moving)


def find_paid_but_waiting(orders: QuerySet[Order]) -> Iterator[Difference]:
    """The payment is captured, and the order still waits for it."""
    for order in orders.filter(CAPTURED, status=Status.CHARGING):
        yield _differs(order, "its payment is captured.", "Mark it as paid, and let it go on.")


def find_waiting_for_nothing(orders: QuerySet[Order]) -> Iterator[Difference]:
    """The order waits for a payment that nobody is asked for any more."""
    for order in orders.filter(~CAPTURED, ~ASKED, status=Status.CHARGING):
        yield _differs(
            order,
            "no payment of it is open or captured.",
            "End it as payment failed, and give its stock back.",
        )


def find_paid_with_nothing(orders: QuerySet[Order]) -> Iterator[Difference]:
    """The goods may have left, and no payment is captured. Only people know what was agreed with the customer."""
    for order in orders.filter(~CAPTURED, status__in=PAID):
        yield _differs(order, "no payment of it is captured.")


def find_payment_too_early(orders: QuerySet[Order]) -> Iterator[Difference]:
    """A payment was asked for that the order knows nothing of."""
    for order in orders.filter(CAPTURED | ASKED, status__in=UNASKED):
        yield _differs(order, "a payment of it is open or captured.")


def find_all_given_back(orders: QuerySet[Order]) -> Iterator[Difference]:
    """Everything that was captured has gone back, and the order does not say so."""
    done = Refund.objects.filter(attempt__order=OuterRef("pk"), state=RefundState.SUCCEEDED)
    back = done.order_by().values("attempt__order").annotate(total=Sum("amount")).values("total")
    whole = Exists(
        _ATTEMPTS.filter(state=AttemptState.SUCCEEDED, refunded=F("amount"), amount=OuterRef("back"))
    )
    for order in orders.filter(status__in=REFUNDABLE).annotate(back=back[:1]).filter(whole):
        yield _differs(order, "all that was captured for it has gone back.", "Mark it as refunded.")


def find_another_amount(orders: QuerySet[Order]) -> Iterator[Difference]:
    """What was captured is not what the order costs. Somebody has changed one of them by hand."""
    captured = _ATTEMPTS.filter(state=AttemptState.SUCCEEDED)
    same = captured.filter(amount=OuterRef("amount"), currency=OuterRef("currency"))
    for order in orders.filter(Exists(captured), ~Exists(same)):
        yield _differs(
            order, f"it costs {format_money(order.amount, order.currency)}; its payment is of another amount."
        )


def find_refunds_that_do_not_add_up(orders: QuerySet[Order]) -> Iterator[Difference]:
    """A payment says that another sum goes back than its refunds say: more could be given back than is left, or less."""
    live = Refund.objects.filter(attempt=OuterRef("pk")).exclude(state=RefundState.FAILED)
    total = live.order_by().values("attempt").annotate(total=Sum("amount")).values("total")
    wrong = _ATTEMPTS.annotate(back=Coalesce(total[:1], 0)).exclude(refunded=F("back"))
    for order in orders.filter(Exists(wrong)):
        yield _differs(order, "what its payment says goes back is not the sum of its refunds.")


CHECKS: Sequence[Check] = (
    find_paid_but_waiting,
    find_waiting_for_nothing,
    find_paid_with_nothing,
    find_payment_too_early,
    find_all_given_back,
    find_another_amount,
    find_refunds_that_do_not_add_up,
)


def find_order_differences(orders: QuerySet[Order]) -> Iterator[Difference]:
    for each in CHECKS:
        yield from each(orders)


def find_not_refunded(orders: QuerySet[Order]) -> Iterator[Difference]:
    """Ended without the goods, and money was kept. A refund that the provider refused is an incident of its own."""
    kept = PaymentAttempt.objects.filter(
        ~Exists(Refund.objects.filter(attempt=OuterRef("pk"), state=RefundState.FAILED)),
        order__in=orders.filter(status__in=ENDED_UNPAID).order_by().values("pk"),
        state=AttemptState.SUCCEEDED,
        refunded__lt=F("amount"),
    )
    for attempt in kept.select_related("order").order_by("pk"):
        left = format_money(attempt.refundable, attempt.currency)
        yield Difference(
            IncidentKind.NOT_REFUNDED,
            f"order:{attempt.order_id}",
            f"Order {attempt.order_id} is {attempt.order.status}, and {left} of {attempt.provider_ref} was kept.",
            attempt.order_id,
            f"Give {left} back.",
            {
                "order": {"pk": attempt.order_id, "status": attempt.order.status},
                "attempt": {"pk": attempt.pk, "amount": attempt.amount, "refunded": attempt.refunded},
            },
        )


def _differs(order: Order, what: str, repair: str = "") -> Difference:
    attempts = order.payment_attempts.order_by("number").values(
        "number", "state", "provider_ref", "amount", "refunded"
    )
    return Difference(
        IncidentKind.ORDER_DIFFERS,
        f"order:{order.pk}",
        f"Order {order.pk} is {order.status}, and {what}",
        order.pk,
        repair,
        {"order": {"pk": order.pk, "status": order.status}, "attempts": list(attempts)},
    )
