"""Refunds: money of a captured charge that goes back, all of it or a part, never more than was captured."""

import json
import sqlite3
import time

from orders.payments.sandbox import charges, events
from orders.payments.sandbox.amounts import figure, parse_amount
from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.cards import CARDS, Refunds
from orders.payments.sandbox.errors import InvalidRequest, Refusal, no_such
from orders.payments.sandbox.identifiers import identifier
from orders.payments.sandbox.pages import Collection, listed
from orders.payments.sandbox.parameters import Parameters, metadata, refuse_unknown
from orders.payments.sandbox.promises import promise

CREATE = frozenset(("amount", "charge", "metadata", "payment_intent", "reason"))
REASONS = ("duplicate", "fraudulent", "requested_by_customer")
# What Stripe shows on every refund and what stays empty for one of a card payment.
EMPTY = (
    "customer", "customer_account", "payment_method", "receipt_number", "source_transfer_reversal", "transfer_reversal",
)  # fmt: skip


def create(books: Books, parameters: Parameters) -> Document:
    """POST /v1/refunds: `amount` of a charge, or all that has not gone back yet."""
    refuse_unknown(parameters, CREATE)
    reason = parameters.get("reason")
    if reason is not None and reason not in REASONS:
        raise InvalidRequest(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    charge = charge_to_refund(books, parameters)
    amount = amount_to_refund(charge, parameters)
    method = CARDS[charge["payment_method"]]
    reference = identifier("re")
    pending = method.refunds is Refunds.PEND
    refund: Document = dict.fromkeys(EMPTY) | {
        "id": reference,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None if pending else f"txn_{reference[3:]}",
        "charge": charge["id"],
        "created": int(time.time()),
        "currency": charge["currency"],
        "destination_details": {method.type: destination(method.type), "type": method.type},
        "metadata": metadata(parameters),
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "pending" if pending else "succeeded",
    }
    if pending:
        refund["pending_reason"] = "processing"
    books.rows(
        """INSERT INTO refunds (id, charge, payment_intent, created, amount, currency, status, body)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        *(
            refund[name]
            for name in ("id", "charge", "payment_intent", "created", "amount", "currency", "status")
        ),
        json.dumps(refund),
    )
    books.rows("UPDATE charges SET refunded = refunded + ? WHERE id = ?", amount, charge["id"])
    if method.refunds is not Refunds.SUCCEED:
        promise(books, reference)
    events.record(books, "charge.refunded", charges.retrieve(books, charge["id"], {}))
    events.record(books, "refund.created", refund)
    return refund


def charge_to_refund(books: Books, parameters: Parameters) -> Document:
    """The captured charge that is named by itself or by its intent."""
    if "charge" in parameters:
        charge = charges.retrieve(books, parameters["charge"], {})
    elif "payment_intent" in parameters:
        intent = books.intent(parameters["payment_intent"])
        if intent is None:
            raise no_such("payment_intent", parameters["payment_intent"], param="payment_intent")
        if intent["status"] != "succeeded":
            raise Refusal(
                400,
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
        charge = charges.charge_of(books, intent)
    else:
        raise InvalidRequest(
            "One of the following params should be provided for this request: payment_intent or charge."
        )
    if charge["status"] != "succeeded":
        raise Refusal(400, f"Charge {charge['id']} has not succeeded and cannot be refunded.", param="charge")
    return charge


def amount_to_refund(charge: Document, parameters: Parameters) -> int:
    left = charge["amount"] - charge["amount_refunded"]
    currency = charge["currency"]
    if left == 0:
        raise Refusal(
            400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if "amount" not in parameters:
        return int(left)
    amount = parse_amount(parameters["amount"], currency, least=1)
    if amount > left:
        raise Refusal(
            400,
            f"Refund amount ({figure(amount, currency)}) is greater than unrefunded amount on charge "
            f"({figure(left, currency)})",
            param="amount",
        )
    return amount


def destination(kind: str) -> Document:
    if kind != "card":
        return {}
    return {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}


def settle(books: Books, refund: Document) -> None:
    """What became of a refund later: a pending one succeeds, one that had seemed to succeed fails."""
    if refund["status"] == "pending":
        refund |= {"status": "succeeded", "balance_transaction": f"txn_{refund['id'][3:]}"}
        del refund["pending_reason"]
    else:
        refund |= {
            "status": "failed",
            "failure_balance_transaction": f"txn_f{refund['id'][3:]}",
            "failure_reason": "expired_or_canceled_card",
        }
        # The money is with the merchant again, and may be given back in another way.
        books.rows(
            "UPDATE charges SET refunded = refunded - ? WHERE id = ?", refund["amount"], refund["charge"]
        )
    books.rows(
        "UPDATE refunds SET status = ?, body = ? WHERE id = ?",
        refund["status"],
        json.dumps(refund),
        refund["id"],
    )
    events.record(books, "refund.updated", refund)
    if refund["status"] == "failed":
        events.record(books, "refund.failed", refund)


def retrieve(books: Books, reference: str, _parameters: Parameters) -> Document:
    """GET /v1/refunds/{id}."""
    rows = books.rows("SELECT * FROM refunds WHERE id = ?", reference)
    if not rows:
        raise no_such("refund", reference, param="id")
    return shown(books, rows[0])


def shown(_books: Books, row: sqlite3.Row) -> Document:
    refund: Document = json.loads(row["body"])
    return refund


FILTERS = {"charge": "charge", "payment_intent": "payment_intent"}
REFUNDS = Collection("refunds", "/v1/refunds", "refund", shown, FILTERS)


def list_refunds(books: Books, parameters: Parameters) -> Document:
    """GET /v1/refunds, of one `charge` or `payment_intent` if asked."""
    return listed(books, REFUNDS, parameters)
