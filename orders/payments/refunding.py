"""Giving money back, at most once for each refund, whatever dies.

As with charging: the refund and its key are committed by whoever requested it (`refunds.request_refund`), the provider
is asked with no transaction open, and `settle_refund` commits the outcome with what follows. When everything stops

    before the request              the refund is `requested`; the next run asks with its key: a first refund
    the request or its answer lost  the same: the provider recognises the key, refunds once and answers again
    the answer is a 500             the same; if the provider keeps it for the key, the refund is looked up instead
    after the answer, before        the answer comes again and is settled then
      `settle_refund` commits
    after that                      the refund is settled; the next run finds nothing to do

While the outcome is not known the sum stays counted in `attempt.refunded`, so nobody can ask for it a second time.
"""

from django.db import transaction
from django.utils import timezone

from orders import locks
from orders.payments.charging import KEY_LIFETIME, SPENT, report_misconfigured
from orders.payments.gate import through
from orders.payments.gateway import Declined, Misconfigured, RefundReceipt, RefundStatus, Unavailable, Unknown
from orders.payments.looking import is_silent
from orders.payments.models import Refund, RefundState
from orders.payments.settling_refunds import report_unknown_refund, settle_refund
from proj.jobs.failpoints import failpoint

__all__ = ["send_refund", "settle_refund"]


def send_refund(refund_id: int) -> None:
    """Ask the provider to give a refund's money back, and settle the refund by the outcome.

    May run any number of times, late or concurrently. A refusal is an outcome and no error: the refund has failed, and
    an incident says so.

    Raises:
        Unknown, Unavailable: nobody can say whether it went; run this again.
        Misconfigured: people must look; an incident is open.
        Postponed: it is not the time to ask.

    """
    refund = _begin(refund_id)
    if refund is None:
        return
    failpoint("refund:begun")
    try:
        receipt = _ask(refund)
    except Unknown as error:
        _write_down(refund, error, state=RefundState.UNKNOWN)
        raise
    except Unavailable as error:
        _write_down(refund, error)
        raise
    except Misconfigured as error:
        _write_down(refund, error)
        report_misconfigured(error)
        raise
    failpoint("refund:asked")
    if receipt is None:
        report_unknown_refund(refund)
    else:
        settle_refund(refund.pk, receipt, via="reply")


def _begin(refund_id: int) -> Refund | None:
    """The refund to ask the provider for, committed; None if it is settled."""
    with transaction.atomic(durable=True):
        locks.lock_order(Refund.objects.values_list("attempt__order_id", flat=True).get(pk=refund_id))
        refund = Refund.objects.open().select_related("attempt__order").filter(pk=refund_id).first()
        if refund is not None and refund.error_code != SPENT:
            # When the provider was last asked.
            Refund.objects.filter(pk=refund.pk).update(updated_at=timezone.now())
        return refund


def _ask(refund: Refund) -> RefundReceipt | None:
    """The refund as the provider has it, by whichever question cannot give it back a second time.

    None: its key may have been forgotten, and it is not to be found.
    """
    if refund.provider_ref:
        return _retrieve(refund.provider_ref)
    if refund.error_code == SPENT:
        return _look_up(refund)
    if timezone.now() - refund.created_at > KEY_LIFETIME:
        return _find(refund)
    try:
        return _give_back(refund)
    except Unknown as error:
        if not error.spent:
            raise
        found = _find(refund)
        if found is None:
            raise
        return found


def _give_back(refund: Refund) -> RefundReceipt:
    """Ask for it to be given back, with the refund's key. A refusal is a refund that has failed."""
    try:
        return through(
            lambda gateway: gateway.refund(
                key=refund.idempotency_key,
                payment=refund.attempt.provider_ref,
                amount=refund.amount,
                currency=refund.currency,
                metadata={"order": str(refund.attempt.order.public_id), "refund": str(refund.pk)},
            )
        )
    except Declined as refusal:
        return _failed(refund, f"{refusal.detail} ({refusal.code})")


def _look_up(refund: Refund) -> RefundReceipt:
    is_over = is_silent(
        refund
    )  # judged before looking: a request that is still under way may arrive after it
    found = _find(refund)
    if found is not None:
        return found
    if not is_over:
        raise Unknown("not to be found at the provider yet", spent=True)
    return _failed(refund, "The provider answered with an error, and gave nothing back.")


def _failed(refund: Refund, detail: str) -> RefundReceipt:
    payment = refund.attempt.provider_ref
    return RefundReceipt("", payment, RefundStatus.FAILED, refund.amount, refund.currency, detail=detail)


def _retrieve(reference: str) -> RefundReceipt:
    receipt = through(lambda gateway: gateway.retrieve_refund(reference))
    if receipt is None:
        raise Misconfigured(f"{reference} is ours, but the provider does not have it: is it another account?")
    return receipt


def _find(refund: Refund) -> RefundReceipt | None:
    receipts = through(lambda gateway: list(gateway.refunds(payment=refund.attempt.provider_ref)))
    return next((receipt for receipt in receipts if receipt.refund == str(refund.pk)), None)


def _write_down(refund: Refund, error: Unknown | Unavailable | Misconfigured, **changes: str) -> None:
    """Why there is no outcome yet, for people; unless another run has found one meanwhile. A spent key stays spent."""
    spent = refund.error_code == SPENT or (isinstance(error, Unknown) and error.spent)
    code = SPENT if spent else type(error).__name__.lower()
    mine = Refund.objects.open().filter(pk=refund.pk)
    mine.update(error_code=code, error_detail=error.detail, **changes)
