"""Charges: an intent's card is asked for the money, and the bank's answer is written down whatever it is.

Like the intents' functions these run inside a transaction of the books that the caller has opened.
"""

import time

from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.cards import CARDS, Decline, payment_method_object
from orders.payments.sandbox.errors import Refusal
from orders.payments.sandbox.identifiers import identifier


def charge_card(books: Books, intent: Document) -> Document:
    """Ask the bank, write down its answer, and return the intent or raise the decline."""
    if intent["payment_method"] is None:
        raise unexpected_state(
            intent, "You cannot confirm this PaymentIntent because it's missing a payment method."
        )
    decline = CARDS[intent["payment_method"]].decline
    charge, now = identifier("ch"), int(time.time())
    books.add_charge(charge, intent, now, None if decline is None else decline.decline_code)
    intent["latest_charge"] = charge
    if decline is not None:
        raise declined(books, intent, decline, now)
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "last_payment_error": None}
    books.save_intent(intent)
    return intent


def declined(books: Books, intent: Document, decline: Decline, now: int) -> Refusal:
    """The intent wants another card; the error says why, with the intent as it is now inside."""
    method = intent["payment_method"]
    refusal = Refusal(
        402,
        decline.message,
        kind="card_error",
        code=decline.code,
        charge=intent["latest_charge"],
        decline_code=decline.decline_code,
        payment_method=payment_method_object(method, CARDS[method], now),
        payment_method_type="card",
    )
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": dict(refusal.error),
    }
    books.save_intent(intent)
    refusal.error["payment_intent"] = intent
    return refusal


def unexpected_state(intent: Document, message: str) -> Refusal:
    return Refusal(400, message, code="payment_intent_unexpected_state", payment_intent=intent)
