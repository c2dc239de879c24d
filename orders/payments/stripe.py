"""Stripe as a payment gateway; or whatever speaks its protocol at `settings.STRIPE_API_BASE`."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import stripe

from orders.payments.amounts import from_provider, to_provider
from orders.payments.gateway import Declined, Payment, PaymentStatus, RefundReceipt, RefundStatus, Unknown
from orders.payments.stripe_client import connect, sort_out

PAGE = 100  # the most that Stripe lists at once

# https://docs.stripe.com/payments/paymentintents/lifecycle. What is not named here may still be captured.
STATUSES = {"succeeded": PaymentStatus.SUCCEEDED, "canceled": PaymentStatus.CANCELLED}
# https://docs.stripe.com/api/refunds/object#refund_object-status. What is not named here may still go either way.
REFUND_STATUSES = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
# Why a refund is refused for good: it has gone back before, the bank has taken it back, or it is too much.
NOT_REFUNDABLE = frozenset(("charge_already_refunded", "charge_disputed", "refund_disputed_payment"))
# https://docs.stripe.com/error-codes: a payment that is over, or being captured, cannot be cancelled.
UNEXPECTED_STATE = "payment_intent_unexpected_state"
NOT_FOUND = 404


class StripeGateway:
    """See `PaymentGateway`. `base` is the address of the API, such as https://api.stripe.com."""

    def __init__(self, api_key: str, base: str) -> None:
        self._v1 = connect(api_key, base).v1

    def charge(
        self, *, key: str, amount: int, currency: str, payment_method: str, metadata: dict[str, str]
    ) -> Payment:
        number = to_provider(amount, currency)
        with _sorted_errors():
            # A key belongs to its parameters: a request that is asked again after a deployment must still be the
            # same, so what is sent here depends on the arguments alone.
            intent = self._v1.payment_intents.create(
                {
                    "amount": number,
                    "currency": currency.lower(),
                    "payment_method": payment_method,
                    "allowed_payment_method_types": ["card"],
                    "confirm": True,
                    # Nobody is there to pass the bank's extra check, so it counts as a decline.
                    "error_on_requires_action": True,
                    "metadata": metadata,
                },
                {"idempotency_key": key},
            )
            return _payment(intent)

    def refund(
        self, *, key: str, payment: str, amount: int, currency: str, metadata: dict[str, str]
    ) -> RefundReceipt:
        number = to_provider(amount, currency)
        with _sorted_errors():
            try:
                refund = self._v1.refunds.create(
                    {"payment_intent": payment, "amount": number, "metadata": metadata},
                    {"idempotency_key": key},
                )
            except stripe.InvalidRequestError as error:
                if error.code in NOT_REFUNDABLE or error.param == "amount":
                    text = error.user_message or "refused"
                    raise Declined(error.code or "refund_refused", text) from error
                raise
            return _receipt(refund)

    def cancel(self, reference: str) -> Payment:
        with _sorted_errors():
            try:
                return _payment(self._v1.payment_intents.cancel(reference))
            except stripe.InvalidRequestError as error:
                if error.code != UNEXPECTED_STATE:
                    raise
                return _payment(self._v1.payment_intents.retrieve(reference))

    def retrieve(self, reference: str) -> Payment | None:
        with _sorted_errors():
            try:
                intent = self._v1.payment_intents.retrieve(reference, {"expand": ["latest_charge"]})
            except stripe.InvalidRequestError as error:
                if error.http_status == NOT_FOUND:
                    return None
                raise
            return _payment(intent)

    def retrieve_refund(self, reference: str) -> RefundReceipt | None:
        with _sorted_errors():
            try:
                return _receipt(self._v1.refunds.retrieve(reference))
            except stripe.InvalidRequestError as error:
                if error.http_status == NOT_FOUND:
                    return None
                raise

    def payments(self, *, since: datetime, until: datetime | None = None) -> Iterator[Payment]:
        params: dict[str, Any] = {"limit": PAGE, "created": _span(since, until)}
        with _sorted_errors():
            for intent in self._v1.payment_intents.list(params).auto_paging_iter():  # type: ignore[arg-type]
                yield _payment(intent)

    def refunds(
        self, *, since: datetime | None = None, payment: str | None = None
    ) -> Iterator[RefundReceipt]:
        params: dict[str, Any] = {"limit": PAGE}
        if since is not None:
            params["created"] = _span(since, None)
        if payment is not None:
            params["payment_intent"] = payment
        with _sorted_errors():
            for refund in self._v1.refunds.list(params).auto_paging_iter():  # type: ignore[arg-type]
                yield _receipt(refund)


@contextmanager
def _sorted_errors() -> Iterator[None]:
    """Whatever Stripe's client raises, as one of ours; an answer that is not what it should be says nothing."""
    try:
        yield
    except stripe.StripeError as error:
        raise sort_out(error) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Unknown(f"An answer that is not what it should be: {error}") from error


def _span(since: datetime, until: datetime | None) -> dict[str, int]:
    """Stripe counts whole seconds, both ends included."""
    span = {"gte": math.floor(since.timestamp())}
    if until is not None:
        span["lte"] = math.ceil(until.timestamp())
    return span


def _payment(intent: stripe.PaymentIntent) -> Payment:
    currency = intent.currency.upper()
    status = STATUSES.get(intent.status, PaymentStatus.PENDING)
    failure = intent.last_payment_error
    if intent.status == "requires_payment_method" and failure is not None:
        status = PaymentStatus.FAILED  # a declined card leaves it so
    amount = intent.amount_received if status == PaymentStatus.SUCCEEDED else intent.amount
    charge = intent.latest_charge
    refunded = charge.amount_refunded if isinstance(charge, stripe.Charge) else 0
    return Payment(
        reference=intent.id,
        status=status,
        amount=from_provider(amount, currency),
        currency=currency,
        refunded=from_provider(refunded, currency),
        order=_metadata(intent, "order"),
        created_at=datetime.fromtimestamp(intent.created, UTC),
        code=(failure.decline_code or failure.code or "") if failure else "",
        detail=(failure.message or "") if failure else "",
    )


def _receipt(refund: stripe.Refund) -> RefundReceipt:
    currency = refund.currency.upper()
    intent = refund.payment_intent
    return RefundReceipt(
        reference=refund.id,
        payment=(intent if isinstance(intent, str) else intent.id) if intent else "",
        status=REFUND_STATUSES.get(refund.status or "", RefundStatus.PENDING),
        amount=from_provider(refund.amount, currency),
        currency=currency,
        refund=_metadata(refund, "refund"),
        created_at=datetime.fromtimestamp(refund.created, UTC),
        detail=getattr(refund, "failure_reason", None) or "",  # left out unless it has failed
    )


def _metadata(thing: stripe.PaymentIntent | stripe.Refund, name: str) -> str:
    return thing.metadata[name] if thing.metadata and name in thing.metadata else ""
