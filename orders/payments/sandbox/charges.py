"""Charges: an intent's card is asked for the money, and the bank's answer is written down whatever it is.

A charge is captured, declined, or, with a method that settles later, under way until the bank says so.
These functions run inside a transaction of the books that the caller has opened.
"""

import sqlite3
import time

from orders.payments.sandbox import events
from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.cards import CARDS, Decline, Settles, charged_method, payment_method_object
from orders.payments.sandbox.errors import Refusal, no_such
from orders.payments.sandbox.identifiers import identifier
from orders.payments.sandbox.pages import Collection, listed
from orders.payments.sandbox.parameters import Parameters
from orders.payments.sandbox.promises import promise

# Stripe's code for an intent that was cancelled while its charge was under way.
CANCELED = Decline("payment_intent_canceled", "canceled", "The payment was canceled.")
# What Stripe shows on every charge and what stays empty for a plain card payment.
EMPTY = (
    "application", "application_fee", "application_fee_amount", "balance_transaction", "customer", "description",
    "failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of", "receipt_email",
    "receipt_number", "receipt_url", "review", "shipping", "source", "source_transfer", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_data", "transfer_group",
)  # fmt: skip


def charge_card(books: Books, intent: Document) -> Document:
    """Ask the bank, write down its answer, and return the intent or raise the decline."""
    if intent["payment_method"] is None:
        raise unexpected_state(
            intent, "You cannot confirm this PaymentIntent because it's missing a payment method."
        )
    card = CARDS[intent["payment_method"]]
    charge = identifier("ch")
    books.rows(
        "INSERT INTO charges (id, intent, created, amount, currency, captured, method) VALUES (?, ?, ?, ?, ?, 0, ?)",
        *(
            charge,
            intent["id"],
            int(time.time()),
            intent["amount"],
            intent["currency"],
            intent["payment_method"],
        ),
    )
    intent |= {"latest_charge": charge, "last_payment_error": None}
    if card.settles is not Settles.AT_ONCE:
        return wait(books, intent, card.settles)
    if card.decline is not None:
        raise decline(books, intent, card.decline)
    return capture(books, intent)


def wait(books: Books, intent: Document, settles: Settles) -> Document:
    """The bank will answer later, or never."""
    intent |= {"status": "processing"}
    books.save_intent(intent)
    if settles is Settles.LATER:
        promise(books, intent["id"])
    events.record(books, "charge.pending", charge_of(books, intent))
    events.record(books, "payment_intent.processing", intent)
    return intent


def settle(books: Books, intent: Document) -> None:
    """What the bank has said of an intent that was `processing`."""
    declined = CARDS[intent["payment_method"]].decline
    if declined is None:
        capture(books, intent)
    else:
        decline(books, intent, declined)


def capture(books: Books, intent: Document) -> Document:
    books.rows("UPDATE charges SET captured = 1 WHERE id = ?", intent["latest_charge"])
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    books.save_intent(intent)
    events.record(books, "charge.succeeded", charge_of(books, intent))
    events.record(books, "payment_intent.succeeded", intent)
    return intent


def fail(books: Books, intent: Document, reason: Decline) -> None:
    """The charge under way is never captured."""
    books.rows(
        "UPDATE charges SET decline_code = ? WHERE id = ?", reason.decline_code, intent["latest_charge"]
    )
    events.record(books, "charge.failed", charge_of(books, intent))


def decline(books: Books, intent: Document, reason: Decline) -> Refusal:
    """The intent wants another card; the error says why, with the intent as it is now inside."""
    method = intent["payment_method"]
    refusal = Refusal(
        402,
        reason.message,
        kind="card_error",
        code=reason.code,
        charge=intent["latest_charge"],
        decline_code=reason.decline_code,
        payment_method=payment_method_object(method, CARDS[method], int(time.time())),
        payment_method_type=CARDS[method].type,
    )
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": dict(refusal.error),
    }
    books.save_intent(intent)
    fail(books, intent, reason)
    events.record(books, "payment_intent.payment_failed", intent)
    refusal.error["payment_intent"] = intent
    return refusal


def unexpected_state(intent: Document, message: str) -> Refusal:
    return Refusal(400, message, code="payment_intent_unexpected_state", payment_intent=intent)


def charge_of(books: Books, intent: Document) -> Document:
    """The latest charge of the intent."""
    return retrieve(books, intent["latest_charge"], {})


def retrieve(books: Books, reference: str, _parameters: Parameters) -> Document:
    """GET /v1/charges/{id}."""
    rows = books.rows("SELECT * FROM charges WHERE id = ?", reference)
    if not rows:
        raise no_such("charge", reference, param="charge")
    return shown(books, rows[0])


def shown(books: Books, row: sqlite3.Row) -> Document:
    """The charge as Stripe shows it, composed of its row and of its intent."""
    intent, card = books.intent(row["intent"]), CARDS[row["method"]]
    assert intent is not None  # noqa: S101  a foreign key
    declined = row["decline_code"] is not None
    reason = CANCELED if row["decline_code"] == CANCELED.decline_code else card.decline
    status = "succeeded" if row["captured"] else "failed" if declined else "pending"
    return dict.fromkeys(EMPTY) | {
        "id": row["id"],
        "object": "charge",
        "amount": row["amount"],
        "amount_captured": row["amount"] * row["captured"],
        "amount_refunded": row["refunded"],
        "balance_transaction": f"txn_{row['id'][3:]}" if row["captured"] else None,
        "billing_details": payment_method_object(row["method"], card, row["created"])["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": not declined,
        "created": row["created"],
        "currency": row["currency"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": reason.code if declined and reason else None,
        "failure_message": reason.message if declined and reason else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": outcome(status, row["decline_code"]),
        "paid": bool(row["captured"]),
        "payment_intent": row["intent"],
        "payment_method": row["method"],
        "payment_method_details": charged_method(card, row["amount"]),
        "receipt_email": intent["receipt_email"],
        "refunded": row["refunded"] == row["amount"],
        "status": status,
    }  # fmt: skip


def outcome(status: str, decline_code: str | None) -> Document | None:
    """What the bank and Stripe's own checks said of the charge."""
    if status == "pending":
        return None
    accepted = decline_code is None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None if accepted else "02",
        "network_status": "approved_by_network" if accepted else "declined_by_network",
        "reason": decline_code,
        "risk_level": "normal",
        "risk_score": 2,
        "seller_message": "Payment complete." if accepted else "The bank did not return any further details.",
        "type": "authorized" if accepted else "issuer_declined",
    }


CHARGES = Collection("charges", "/v1/charges", "charge", shown, {"payment_intent": "intent"})


def list_charges(books: Books, parameters: Parameters) -> Document:
    """GET /v1/charges, of one `payment_intent` if asked."""
    return listed(books, CHARGES, parameters)
