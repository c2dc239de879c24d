"""Payment intents: made, confirmed against a test card, cancelled, read and listed.

Each function runs inside one transaction of the books, opened by the caller, and returns the object that Stripe
would show.
"""

import secrets
import time

from orders.payments.sandbox.amounts import parse_amount, parse_currency
from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.cards import CARDS
from orders.payments.sandbox.charges import charge_card, unexpected_state
from orders.payments.sandbox.errors import InvalidRequest, no_such
from orders.payments.sandbox.identifiers import identifier
from orders.payments.sandbox.parameters import Parameters, array, boolean, integer, metadata, refuse_unknown

# What these do not list, such as manual capture or saved customers, is refused and never silently ignored.
CREATE = frozenset((
    "allowed_payment_method_types", "amount", "automatic_payment_methods", "confirm", "currency", "description",
    "error_on_requires_action", "metadata", "off_session", "payment_method", "payment_method_types", "receipt_email",
    "return_url", "statement_descriptor_suffix",
))  # fmt: skip
CONFIRM = frozenset(
    ("error_on_requires_action", "off_session", "payment_method", "receipt_email", "return_url")
)
CANCEL = frozenset(("cancellation_reason",))
LIST = frozenset(("created", "limit", "starting_after"))
CANCELLABLE = ("requires_payment_method", "requires_confirmation")
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
# What Stripe shows on every intent and what stays empty for a plain card payment.
EMPTY = (
    "application", "application_fee_amount", "canceled_at", "cancellation_reason", "customer", "customer_account",
    "excluded_payment_method_types", "last_payment_error", "latest_charge", "next_action", "on_behalf_of",
    "payment_method_configuration_details", "processing", "review", "setup_future_usage", "shipping", "source",
    "statement_descriptor", "transfer_data", "transfer_group",
)  # fmt: skip


def create(books: Books, parameters: Parameters) -> Document:
    """POST /v1/payment_intents: a new intent, confirmed at once if `confirm` says so."""
    refuse_unknown(parameters, CREATE)
    currency = parse_currency(parameters.get("currency"))
    amount = parse_amount(parameters.get("amount"), currency)
    payment_method = parameters.get("payment_method")
    refuse_unknown_card(payment_method)
    confirmed = boolean(parameters, "confirm")
    allowed_types = types_of_payment(parameters)
    reference = identifier("pi")
    intent: Document = dict.fromkeys(EMPTY) | {
        "id": reference,
        "object": "payment_intent",
        "allowed_payment_method_types": allowed_types,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": {"allow_redirects": "never", "enabled": True}
        if boolean(parameters, "automatic_payment_methods[enabled]")
        else None,
        "capture_method": "automatic_async",
        "client_secret": f"{reference}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": int(time.time()),
        "currency": currency,
        "description": parameters.get("description"),
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": metadata(parameters),
        "payment_method": payment_method,
        "payment_method_options": {
            "card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "receipt_email": parameters.get("receipt_email"),
        "statement_descriptor_suffix": parameters.get("statement_descriptor_suffix"),
        "status": "requires_confirmation" if payment_method else "requires_payment_method",
    }
    books.save_intent(intent)
    return charge_card(books, intent) if confirmed else intent


def confirm(books: Books, reference: str, parameters: Parameters) -> Document:
    """POST /v1/payment_intents/{id}/confirm: charge the card of the intent, or the one given here."""
    refuse_unknown(parameters, CONFIRM)
    intent = retrieve(books, reference)
    refuse_unknown_card(parameters.get("payment_method"))
    if intent["status"] == "succeeded":
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
        )
    if intent["status"] == "canceled":
        raise unexpected_state(
            intent, "You cannot confirm this PaymentIntent because it has a status of canceled."
        )
    intent["payment_method"] = parameters.get("payment_method") or intent["payment_method"]
    return charge_card(books, intent)


def cancel(books: Books, reference: str, parameters: Parameters) -> Document:
    """POST /v1/payment_intents/{id}/cancel: never charge it; refused once it has succeeded."""
    refuse_unknown(parameters, CANCEL)
    reason = parameters.get("cancellation_reason")
    if reason is not None and reason not in CANCELLATION_REASONS:
        raise InvalidRequest(
            f"Invalid cancellation_reason: must be one of {', '.join(CANCELLATION_REASONS)}",
            param="cancellation_reason",
        )
    intent = retrieve(books, reference)
    if intent["status"] not in CANCELLABLE:
        raise unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(CANCELLABLE)}.",
        )
    intent |= {"status": "canceled", "canceled_at": int(time.time()), "cancellation_reason": reason}
    books.save_intent(intent)
    return intent


def retrieve(books: Books, reference: str) -> Document:
    """GET /v1/payment_intents/{id}."""
    intent = books.intent(reference)
    if intent is None:
        raise no_such("payment_intent", reference, param="intent")
    return intent


def listed(books: Books, parameters: Parameters) -> Document:
    """GET /v1/payment_intents: newest first, in pages of `limit`, within `created[gte|gt|lte|lt]`."""
    refuse_unknown(parameters, LIST)
    limit = integer(parameters, "limit", 10, least=1, most=100)
    after = parameters.get("starting_after")
    if after is not None and books.intent(after) is None:
        raise no_such("payment_intent", after, param="starting_after", status=400)
    since = max(integer(parameters, "created[gte]", 0), integer(parameters, "created[gt]", -1) + 1)
    until = min(integer(parameters, "created[lte]", 2**53), integer(parameters, "created[lt]", 2**53 + 1) - 1)
    page = books.intents(after=after, since=since, until=until, limit=limit + 1)
    return {
        "object": "list",
        "data": page[:limit],
        "has_more": len(page) > limit,
        "url": "/v1/payment_intents",
    }


def types_of_payment(parameters: Parameters) -> list[str] | None:
    """The types that the caller restricts the payment to; the sandbox knows cards only."""
    if array(parameters, "payment_method_types"):
        # https://docs.stripe.com/changelog/endive/2026-09-30
        raise InvalidRequest(
            "The parameter payment_method_types is no longer supported. Use allowed_payment_method_types.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
    types = array(parameters, "allowed_payment_method_types")
    if types and "card" not in types:
        raise InvalidRequest("No valid payment method types.", param="allowed_payment_method_types")
    return types or None


def refuse_unknown_card(payment_method: str | None) -> None:
    if payment_method is not None and payment_method not in CARDS:
        raise no_such("PaymentMethod", payment_method, param="payment_method", status=400)
