"""What can differ about money that went back. Each check looks at one refund and knows one kind of difference."""

from collections.abc import Callable, Sequence
from typing import Any

from orders.money import format_money
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.models import IncidentKind
from orders.payments.reconciling.difference import Difference
from orders.payments.reconciling.givebacks import Giveback

Check = Callable[[Giveback], Difference | None]


def find_other_amount(giveback: Giveback) -> Difference | None:
    """Given back, but not what was to be. Who owes whom is for people to say."""
    refund, receipt = giveback.refund, giveback.receipt
    if giveback.returned is None or refund is None or receipt is None:
        return None
    asked = refund.amount, refund.currency
    if giveback.returned == asked:
        return None
    return Difference(
        IncidentKind.AMOUNT_DIFFERS,
        receipt.reference,
        f"{format_money(*giveback.returned)} of order {refund.attempt.order_id} was given back as {receipt.reference}, "
        f"of which {format_money(*asked)} was to be.",
        refund.attempt.order_id,
        detail=both_sides(giveback),
    )


def find_unsettled(giveback: Giveback) -> Difference | None:
    """Given back, and we do not know it: one of ours, or one that was made at the provider."""
    receipt, attempt = giveback.receipt, giveback.attempt
    if giveback.returned is None or attempt is None or receipt is None or giveback.settled is not None:
        return None
    if receipt.status != RefundStatus.SUCCEEDED:
        return None
    refund = giveback.refund
    return Difference(
        IncidentKind.REFUND_UNSETTLED,
        receipt.reference,
        f"{format_money(*giveback.returned)} of order {attempt.order_id} was given back as {receipt.reference}; here "
        + (f"refund {refund.pk} is {refund.state}." if refund is not None else "nobody asked for that."),
        attempt.order_id,
        f"Settle refund {refund.pk}."
        if refund is not None
        else f"Adopt it: enter {receipt.reference} as a refund.",
        both_sides(giveback),
    )


def find_missing(giveback: Giveback) -> Difference | None:
    """Given back here, and not at the provider. If it says that it failed, that is settled; if it does not know it, only
    people know which side is wrong.
    """
    refund = giveback.refund
    if refund is None or giveback.settled is None or giveback.returned is not None:
        return None
    failed = giveback.receipt is not None
    return Difference(
        IncidentKind.REFUND_MISSING,
        refund.provider_ref or f"refund:{refund.pk}",
        f"{format_money(*giveback.settled)} of order {refund.attempt.order_id} was given back here as "
        f"{refund.provider_ref or 'a refund without an id'}; at the provider it "
        + ("has failed." if failed else "is not known."),
        refund.attempt.order_id,
        "Settle it as failed, and ask again." if failed else "",
        both_sides(giveback),
    )


#: In this order: of one refund, the first that is found is reported.
CHECKS: Sequence[Check] = (find_other_amount, find_unsettled, find_missing)


def check(giveback: Giveback) -> Difference | None:
    return next((found for each in CHECKS if (found := each(giveback)) is not None), None)


def both_sides(giveback: Giveback) -> dict[str, Any]:
    """What was read, for the people who look at the incident."""
    refund, attempt = giveback.refund, giveback.attempt
    here: dict[str, Any] = {}
    if attempt is not None:
        here |= {"order": attempt.order_id, "payment": attempt.provider_ref, "refunded": attempt.refunded}
    if refund is not None:
        here |= {
            "refund": refund.pk,
            "state": refund.state,
            "reference": refund.provider_ref,
            "amount": refund.amount,
            "currency": refund.currency,
        }
    return {
        "provider": _describe(giveback.receipt),
        "here": here or None,
        "books": {"amount": giveback.booked[0], "currency": giveback.booked[1]} if giveback.booked else None,
    }


def _describe(receipt: RefundReceipt | None) -> dict[str, Any] | None:
    if receipt is None:
        return None
    return {
        "refund": receipt.reference,
        "payment": receipt.payment,
        "status": str(receipt.status),
        "amount": receipt.amount,
        "currency": receipt.currency,
        "created": receipt.created_at.isoformat() if receipt.created_at else None,
    }
