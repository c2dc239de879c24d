"""Payment intents: made, confirmed against a test card, cancelled, read and listed.

Each function runs inside one transaction of the books, opened by the caller, and returns the object that Stripe
would show.
"""

import json
import secrets
import time

from orders.payments.sandbox import events
from orders.payments.sandbox.amounts import parse_amount, parse_currency
from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.cards import CARDS, TYPES
from orders.payments.sandbox.charges import CANCELED, charge_card, fail, unexpected_state
from orders.payments.sandbox.errors import InvalidRequest, no_such
from orders.payments.sandbox.identifiers import identifier
from orders.payments.sandbox.pages import Collection, listed
from orders.payments.sandbox.parameters import Parameters, array, boolean, metadata, refuse_unknown
from orders.payments.sandbox.promises import release

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
CANCELLABLE = ("requires_payment_method", "requires_confirmation", "processing")
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
    confirmed = boolean(parameters, "confirm")
    allowed_types = types_of_payment(parameters)
    refuse_unusable(payment_method, allowed_types, currency)
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
        "payment_method_types": [CARDS[payment_method].type if payment_method else "card"],
        "receipt_email": parameters.get("receipt_email"),
        "statement_descriptor_suffix": parameters.get("statement_descriptor_suffix"),
        "status": "requires_confirmation" if payment_method else "requires_payment_method",
    }
    books.save_intent(intent)
    events.record(books, "payment_intent.created", intent)
    return charge_card(books, intent) if confirmed else intent


def confirm(books: Books, reference: str, parameters: Parameters) -> Document:
    """POST /v1/payment_intents/{id}/confirm: charge the card of the intent, or the one given here."""
    refuse_unknown(parameters, CONFIRM)
    intent = retrieve(books, reference)
    refuse_unusable(
        parameters.get("payment_method"), intent["allowed_payment_method_types"], intent["currency"]
    )
    if intent["status"] == "succeeded":
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
        )
    if intent["status"] in {"canceled", "processing"}:
        raise unexpected_state(
            intent, f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}."
        )
    intent["payment_method"] = parameters.get("payment_method") or intent["payment_method"]
    return charge_card(books, intent)


def cancel(books: Books, reference: str, parameters: Parameters) -> Document:
    """POST /v1/payment_intents/{id}/cancel: never charge it; refused once it has succeeded, or is on its way there."""
    refuse_unknown(parameters, CANCEL)
    reason = parameters.get("cancellation_reason")
    if reason is not None and reason not in CANCELLATION_REASONS:
        raise InvalidRequest(
            f"Invalid cancellation_reason: must be one of {', '.join(CANCELLATION_REASONS)}",
            param="cancellation_reason",
        )
    intent = retrieve(books, reference)
    processing = intent["status"] == "processing"
    if intent["status"] not in CANCELLABLE or (
        processing and not CARDS[intent["payment_method"]].cancellable
    ):
        raise unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(CANCELLABLE)}.",
        )
    intent |= {"status": "canceled", "canceled_at": int(time.time()), "cancellation_reason": reason}
    books.save_intent(intent)
    if processing:
        release(books, reference)
        fail(books, intent, CANCELED)
    events.record(books, "payment_intent.canceled", intent)
    return intent


def retrieve(books: Books, reference: str, _parameters: Parameters | None = None) -> Document:
    """GET /v1/payment_intents/{id}."""
    intent = books.intent(reference)
    if intent is None:
        raise no_such("payment_intent", reference, param="intent")
    return intent


INTENTS = Collection(
    "intents", "/v1/payment_intents", "payment_intent", lambda _books, row: json.loads(row["body"])
)


def list_intents(books: Books, parameters: Parameters) -> Document:
    """GET /v1/payment_intents."""
    return listed(books, INTENTS, parameters)


def types_of_payment(parameters: Parameters) -> list[str] | None:
    """The types that the caller restricts the payment to."""
    if array(parameters, "payment_method_types"):
        # https://docs.stripe.com/changelog/endive/2026-09-30
        raise InvalidRequest(
            "The parameter payment_method_types is no longer supported. Use allowed_payment_method_types.",
            code="payment_method_types_no_longer_supported",
            param="payment_method_types",
        )
    types = array(parameters, "allowed_payment_method_types")
    if types and not set(types) & TYPES:
        raise InvalidRequest("No valid payment method types.", param="allowed_payment_method_types")
    return types or None


def refuse_unusable(payment_method: str | None, types: list[str] | None, currency: str) -> None:
    """Raise InvalidRequest for a method that does not exist, is not allowed here, or cannot pay in the currency."""
    if payment_method is None:
        return
    if payment_method not in CARDS:
        raise no_such("PaymentMethod", payment_method, param="payment_method", status=400)
    card = CARDS[payment_method]
    if types and card.type not in types:
        raise InvalidRequest(
            f"The PaymentMethod provided ({card.type}) is not allowed for this PaymentIntent. Please attach a "
            f"PaymentMethod of one of the following types: {', '.join(types)}.",
            param="payment_method",
        )
    if card.currency not in {None, currency}:
        raise InvalidRequest(
            f"The currency provided ({currency}) is invalid for the payment method type {card.type}. This payment "
            f"method type supports the following currencies: {card.currency}.",
            param="currency",
        )
