"""Charging an order, at most once, whatever dies.

Three parts: `_begin` commits the attempt with its key; the provider is asked with no transaction open; `settle` commits
the outcome with what follows from it. The windows between them, and what happens when everything stops there:

    before `_begin` commits         nothing has happened; the next run begins
    after it, before the request    the attempt is `sent`; the next run asks with its key: a first charge
    the request or its answer lost  the same: the provider recognises the key, charges once and answers again
    the answer is a 500             the same; if the provider keeps it for the key and gives it again, the payment is
                                    looked up instead, and found, or given up when no request can be under way
    after the answer, before        the answer comes again and is settled then
      `settle` commits
    after that                      the order has moved on; the next run finds nothing to do

In each of them the order may be cancelled, too: then nobody asks for the charge again, and the attempt, which stays
open, is looked up until it is known to be over (`resolving`). A run that is asking at that moment settles what it is
told, and money that arrives for a cancelled order goes back.

Two runs at the same time ask with the same key, and whoever settles second finds it done. While the outcome is not
known there is never a new key: this is what keeps a charge from being made twice.
"""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from orders import locks
from orders.models import Order
from orders.payments.amounts import to_provider
from orders.payments.gate import through
from orders.payments.gateway import Declined, Misconfigured, Payment, PaymentStatus, Unavailable, Unknown
from orders.payments.incidents import open_incident
from orders.payments.looking import absent, find_payment, is_silent
from orders.payments.models import AttemptState, IncidentKind, PaymentAttempt
from orders.payments.settling import settle
from orders.states import Status
from proj.jobs.failpoints import failpoint

#: Stripe forgets a key after 24 hours, and the same request would then be a second charge. An hour is for clocks.
KEY_LIFETIME = timedelta(hours=23)
#: The error code of what was asked for with a key that the provider keeps an answer without an outcome for.
SPENT = "spent"


def charge_order(order_id: int) -> None:
    """Take the money for an order whose stock is held, and settle the order by the outcome.

    May run any number of times, late or concurrently: only an order that is reserved or charging is asked for.
    A declined card is an outcome and no error: the order ends with the reason and its stock is given back. So does it
    when its key can no longer be asked with, and the payment is looked up and is not there: nothing was captured.

    Raises:
        Unknown: nobody can say whether the money was captured; the order stays `charging`, run this again.
        Unavailable: the provider had no time for us; likewise.
        Misconfigured: the order stays `charging` until people have looked and closed the incident that is open.
        Postponed: it is not the time to ask.

    """
    attempt = _begin(order_id)
    if attempt is None:
        return
    failpoint("payment:begun")
    try:
        payment = _ask(attempt)
    except Unknown as error:
        _write_down(attempt, error, state=AttemptState.UNKNOWN)
        raise
    except Unavailable as error:
        _write_down(attempt, error)
        raise
    except Misconfigured as error:
        _write_down(attempt, error)
        report_misconfigured(error)
        raise
    failpoint("payment:asked")
    settle(attempt.pk, payment, via="reply")
    if payment.status == PaymentStatus.PENDING:
        raise Unknown(f"{payment.reference} is pending at the provider")


def report_misconfigured(error: Misconfigured) -> None:
    """Tell staff that the provider refuses our requests, in one incident, however many requests it are."""
    open_incident(
        IncidentKind.MISCONFIGURED,
        "stripe",
        summary=f"The provider refuses our requests: {error.detail}",
        repair="Mend the configuration, then close this: what waits for its payment goes on within minutes.",
    )


def _begin(order_id: int) -> PaymentAttempt | None:
    """The attempt to ask the provider with, committed; None if it is not the time to charge this order."""
    with transaction.atomic(durable=True):  # what is stored here must be on disk before the provider is asked
        order = locks.lock_order(order_id)
        if order.status == Status.RESERVED:
            order.transition_to(Status.CHARGING, actor="payments")
            return _create_attempt(order)
        if order.status != Status.CHARGING:
            return None
        attempt = PaymentAttempt.objects.open().select_related("order").get(order=order)
        if not _key_is_spent(attempt):
            # When the provider was last asked: how long nobody else has to look for an answer to it.
            PaymentAttempt.objects.filter(pk=attempt.pk).update(updated_at=timezone.now())
        return attempt


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


def _key_is_spent(attempt: PaymentAttempt) -> bool:
    """Whether asking with the key could charge a second time, or is known to be answered as before."""
    return attempt.error_code == SPENT or timezone.now() - attempt.created_at > KEY_LIFETIME


def _ask(attempt: PaymentAttempt) -> Payment:
    """The payment as the provider has it, by whichever question cannot charge a second time."""
    if attempt.provider_ref or _key_is_spent(attempt):
        return _look_up(attempt)
    try:
        return _charge(attempt)
    except Unknown as error:
        if not error.spent:
            raise
        found = find_payment(attempt)
        if found is None:
            raise
        return found


def _charge(attempt: PaymentAttempt) -> Payment:
    """Ask for the money, with the attempt's key. A refusal is a payment that has failed."""
    try:
        to_provider(attempt.amount, attempt.currency)  # refused here, it costs the provider nothing
        return through(
            lambda gateway: gateway.charge(
                key=attempt.idempotency_key,
                amount=attempt.amount,
                currency=attempt.currency,
                payment_method=attempt.payment_method,
                metadata={"order": str(attempt.order.public_id), "attempt": str(attempt.number)},
            )
        )
    except Declined as refusal:
        return Payment(
            refusal.provider_ref,
            PaymentStatus.FAILED,
            attempt.amount,
            attempt.currency,
            code=refusal.code,
            detail=refusal.detail,
        )


def _look_up(attempt: PaymentAttempt) -> Payment:
    is_over = is_silent(
        attempt
    )  # judged before looking: a request that is still under way may arrive after it
    found = find_payment(attempt)
    if found is not None:
        return found
    if not is_over:
        raise Unknown("not to be found at the provider yet", spent=attempt.error_code == SPENT)
    return absent(attempt)


def _write_down(
    attempt: PaymentAttempt, error: Unknown | Unavailable | Misconfigured, **changes: str
) -> None:
    """Why there is no outcome yet, for people; unless another run has found one meanwhile. A spent key stays spent."""
    spent = attempt.error_code == SPENT or (isinstance(error, Unknown) and error.spent)
    code = SPENT if spent else type(error).__name__.lower()
    mine = PaymentAttempt.objects.open().filter(pk=attempt.pk)
    mine.update(error_code=code, error_detail=error.detail, **changes)
