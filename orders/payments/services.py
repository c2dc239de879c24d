"""Charging an order, at most once, whatever dies.

Three parts: `_begin` commits the attempt with its key; the provider is asked with no transaction open; `_settle_*`
commits the outcome with what follows from it. The windows between them, and what happens when everything stops there:

    before `_begin` commits         nothing has happened; the next run begins
    after it, before the request    the attempt is `sent`; the next run asks with its key: a first charge
    the request or its answer lost  the same: the provider recognises the key, charges once and answers again
    after the answer, before        the same: the answer comes again and is settled then
      `_settle_*` commits
    after that                      the order has moved on; the next run finds nothing to do

Two runs at the same time ask with the same key, and whoever settles second finds it done. While the outcome is not
known there is never a new key: this is what keeps a charge from being made twice.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from orders import locks
from orders.models import Order
from orders.payments.gateway import Declined, Misconfigured, Payment, PaymentGateway, Unavailable, Unknown
from orders.payments.models import AttemptState, PaymentAttempt
from orders.payments.stripe import StripeGateway
from orders.services import mark_paid, mark_payment_failed
from orders.states import Status
from proj.jobs.errors import Permanent

#: Stripe forgets a key after 24 hours, and the same request would then be a second charge. An hour is for clocks.
KEY_LIFETIME = timedelta(hours=23)


class KeyExpired(Permanent):
    """The outcome stayed unknown for so long that asking again could charge again. People must look it up."""

    def __init__(self, attempt: PaymentAttempt) -> None:
        super().__init__("The payment needs a person to look at it. We are looking into it.")
        self.detail = (
            f"Without an answer since {attempt.created_at:%Y-%m-%d %H:%M} UTC: asking again could charge again. Look "
            f"it up at the provider by its metadata (order {attempt.order.public_id})."
        )


def charge_order(order_id: int) -> None:
    """Take the money for an order whose stock is held, and settle the order by the outcome.

    May run any number of times, late or concurrently: only an order that is reserved or charging is asked for.
    A declined card is an outcome and no error: the order ends with the reason and its stock is given back.

    Raises:
        Unknown: nobody can say whether the money was captured; the order stays `charging`, run this again.
        Unavailable: the provider had no time for us; likewise.
        Misconfigured, KeyExpired: the order stays `charging` until people have looked.
    """
    attempt = _begin(order_id)
    if attempt is None:
        return
    try:
        _refuse_expired(attempt)
        charge = _ask(attempt)
    except Declined as refusal:
        _settle_declined(attempt, refusal)
    except Unknown as error:
        _write_down(attempt, error, state=AttemptState.UNKNOWN)
        raise
    except (Unavailable, Misconfigured, KeyExpired) as error:
        _write_down(attempt, error)
        raise
    else:
        _settle_succeeded(attempt, charge)


def _begin(order_id: int) -> PaymentAttempt | None:
    """The attempt to ask the provider with, committed; None if it is not the time to charge this order."""
    with transaction.atomic(durable=True):  # what is stored here must be on disk before the provider is asked
        order = locks.lock_order(order_id)
        if order.status == Status.RESERVED:
            order.transition_to(Status.CHARGING, actor="payments")
            return _create_attempt(order)
        if order.status != Status.CHARGING:
            return None
        return PaymentAttempt.objects.open().select_related("order").get(order=order)


def _create_attempt(order: Order) -> PaymentAttempt:
    number = PaymentAttempt.objects.filter(order=order).count() + 1
    return PaymentAttempt.objects.create(
        order=order,
        number=number,
        # Derived and not random: after the database is restored from a backup, the same question is asked again.
        idempotency_key=f"order-{order.public_id}-{number}",
        amount=order.amount,
        currency=order.currency,
        payment_method=order.payment_method,
    )


def _refuse_expired(attempt: PaymentAttempt) -> None:
    if timezone.now() - attempt.created_at > KEY_LIFETIME:
        raise KeyExpired(attempt)


def _ask(attempt: PaymentAttempt) -> Payment:
    gateway: PaymentGateway = StripeGateway(settings.STRIPE_API_KEY, settings.STRIPE_API_BASE)
    return gateway.charge(
        key=attempt.idempotency_key,
        amount=attempt.amount,
        currency=attempt.currency,
        payment_method=attempt.payment_method,
        metadata={"order": str(attempt.order.public_id), "attempt": str(attempt.number)},
    )


def _settle_succeeded(attempt: PaymentAttempt, charge: Payment) -> None:
    """The attempt and the order, together: paid, and what follows is enqueued. Nothing if that was known."""
    with transaction.atomic():
        order = locks.lock_order(attempt.order_id)
        if _close(attempt, AttemptState.SUCCEEDED, provider_ref=charge.reference):
            mark_paid(order, provider_ref=charge.reference)


def _settle_declined(attempt: PaymentAttempt, refusal: Declined) -> None:
    """The attempt and the order, together: failed, and the stock is given back. Nothing if that was known."""
    with transaction.atomic():
        order = locks.lock_order(attempt.order_id)
        if _close(
            attempt,
            AttemptState.DECLINED,
            provider_ref=refusal.provider_ref,
            error_code=refusal.code,
            error_detail=refusal.detail,
        ):
            mark_payment_failed(order, refusal.detail, code=refusal.code, provider_ref=refusal.provider_ref)


def _close(attempt: PaymentAttempt, state: AttemptState, **fields: str) -> bool:
    """Move an open attempt to its end; False, and no change, if another run has. Needs the lock on the order."""
    fields = {"error_code": "", "error_detail": "", **fields}
    mine = PaymentAttempt.objects.open().filter(pk=attempt.pk)
    return mine.update(state=state, updated_at=timezone.now(), **fields) == 1


def _write_down(
    attempt: PaymentAttempt, error: Unknown | Unavailable | Misconfigured | KeyExpired, **changes: str
) -> None:
    """Why there is no outcome yet, for people; unless another run has found one meanwhile."""
    code = type(error).__name__.lower()
    mine = PaymentAttempt.objects.open().filter(pk=attempt.pk)
    mine.update(error_code=code, error_detail=error.detail, updated_at=timezone.now(), **changes)
