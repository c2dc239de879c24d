"""Stripe's test payment methods: which card or account each stands for, and what comes of charging it."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank said no: Stripe's `code` and `decline_code`, and the words a shopper may read."""

    code: str
    decline_code: str
    message: str


class Settles(Enum):
    """When the bank answers a charge, or a refund."""

    AT_ONCE = auto()
    LATER = auto()
    NEVER = auto()


class Refunds(Enum):
    """What comes of a refund: it succeeds at once, is pending and succeeds later, or seems to succeed and fails later."""

    SUCCEED = auto()
    PEND = auto()
    FAIL_LATER = auto()


@dataclass(frozen=True, slots=True)
class Card:
    """A card, or an account that is debited: `brand` is then the bank's name.

    `cancellable` is whether an intent may be cancelled while the bank thinks about it; `currency` is the only one
    that can be paid in, None for any.
    """

    brand: str
    last4: str
    funding: str = "credit"
    decline: Decline | None = None
    type: str = "card"
    currency: str | None = None
    settles: Settles = Settles.AT_ONCE
    cancellable: bool = False
    refunds: Refunds = Refunds.SUCCEED


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
LOST_CARD = Decline("card_declined", "lost_card", "Your card was declined.")
STOLEN_CARD = Decline("card_declined", "stolen_card", "Your card was declined.")
EXPIRED_CARD = Decline("expired_card", "expired_card", "Your card has expired.")
INCORRECT_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.")
PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
)
VELOCITY = Decline(
    "card_declined",
    "card_velocity_exceeded",
    "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
)

NO_FUNDS = Decline("insufficient_funds", "insufficient_funds", "The account has insufficient funds.")
CLOSED = Decline("account_closed", "account_closed", "The bank account has been closed.")


def ach(last4: str, decline: Decline | None = None, settles: Settles = Settles.LATER) -> Card:
    """A US bank account: settles later, and may be cancelled until it has."""
    return Card(
        "STRIPE TEST BANK", last4, decline=decline, type="us_bank_account", currency="usd", settles=settles,
        cancellable=True,
    )  # fmt: skip


def bacs(last4: str, decline: Decline | None = None) -> Card:
    """A British bank account: settles later, and cannot be cancelled meanwhile."""
    return Card(
        "STRIPE TEST BANK", last4, decline=decline, type="bacs_debit", currency="gbp", settles=Settles.LATER
    )


# https://docs.stripe.com/testing#cards and #declined-payments; the names without a brand are Stripe's older ones.
CARDS = {
    "pm_card_visa": Card("visa", "4242"),
    "pm_card_visa_debit": Card("visa", "5556", "debit"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_mastercard_debit": Card("mastercard", "8210", "debit"),
    "pm_card_mastercard_prepaid": Card("mastercard", "5100", "prepaid"),
    "pm_card_amex": Card("amex", "8431"),
    "pm_card_discover": Card("discover", "9424"),
    "pm_card_diners": Card("diners", "3237"),
    "pm_card_jcb": Card("jcb", "0505"),
    "pm_card_unionpay": Card("unionpay", "0005"),
    "pm_card_chargeDeclined": Card("visa", "0002", decline=GENERIC),
    "pm_card_visa_chargeDeclined": Card("visa", "0002", decline=GENERIC),
    "pm_card_chargeDeclinedInsufficientFunds": Card("visa", "9995", decline=INSUFFICIENT_FUNDS),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card("visa", "9995", decline=INSUFFICIENT_FUNDS),
    "pm_card_visa_chargeDeclinedLostCard": Card("visa", "9987", decline=LOST_CARD),
    "pm_card_visa_chargeDeclinedStolenCard": Card("visa", "9979", decline=STOLEN_CARD),
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": Card("visa", "6975", decline=VELOCITY),
    "pm_card_chargeDeclinedExpiredCard": Card("visa", "0069", decline=EXPIRED_CARD),
    "pm_card_chargeDeclinedIncorrectCvc": Card("visa", "0127", decline=INCORRECT_CVC),
    "pm_card_chargeDeclinedProcessingError": Card("visa", "0119", decline=PROCESSING_ERROR),
    # https://docs.stripe.com/testing#refunds
    "pm_card_pendingRefund": Card("visa", "7726", refunds=Refunds.PEND),
    "pm_card_refundFail": Card("visa", "5126", refunds=Refunds.FAIL_LATER),
    # https://docs.stripe.com/payments/ach-direct-debit/accept-a-payment#test-account-numbers
    "pm_usBankAccount_success": ach("6789"),
    "pm_usBankAccount_insufficientFunds": ach("2227", NO_FUNDS),
    "pm_usBankAccount_accountClosed": ach("1113", CLOSED),
    "pm_usBankAccount_processing": ach("0009", settles=Settles.NEVER),
    # https://docs.stripe.com/payments/payment-methods/bacs-debit#test-account-numbers
    "pm_bacsDebit_success": bacs("2345"),
    "pm_bacsDebit_insufficientFunds": bacs("2227", NO_FUNDS),
    # Stripe has cards that its banks answer later (https://docs.stripe.com/india-recurring-payments), but no test
    # methods for them that work without a customer and a mandate: these three are ours.
    "pm_card_settlesLater": Card("visa", "9001", settles=Settles.LATER),
    "pm_card_declinesLater": Card("visa", "9002", decline=INSUFFICIENT_FUNDS, settles=Settles.LATER),
    "pm_card_neverSettles": Card("visa", "9003", settles=Settles.NEVER, cancellable=True),
}
TYPES = frozenset(card.type for card in CARDS.values())


def payment_method_object(reference: str, card: Card, created: int) -> dict[str, Any]:
    """The payment method as Stripe shows it inside an error."""
    return {
        "id": reference,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        card.type: card_object(card) if card.type == "card" else account_object(card),
        "created": created,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": card.type,
    }


def charged_method(card: Card, amount: int) -> dict[str, Any]:
    """The method as Stripe shows it inside a charge of `amount`."""
    if card.type != "card":
        return {card.type: account_object(card), "type": card.type}
    shown = {name: value for name, value in card_object(card).items() if name not in ONLY_IN_METHOD}
    unavailable = ("extended_authorization", "incremental_authorization", "multicapture")
    return {
        "card": shown | {name: {"status": "unavailable"} for name in unavailable} | {
            "amount_authorized": amount,
            "authorization_code": None,
            "installments": None,
            "mandate": None,
            "network": card.brand,
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
            "three_d_secure": None,
            "transaction_link_id": None,
        },
        "type": "card",
    }  # fmt: skip


# What a payment method says of its card and a charge does not.
ONLY_IN_METHOD = ("display_brand", "generated_from", "networks", "three_d_secure_usage")


def card_object(card: Card) -> dict[str, Any]:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"sandbox{card.brand}{card.last4}",
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def account_object(card: Card) -> dict[str, Any]:
    shown = {"fingerprint": f"sandbox{card.last4}", "last4": card.last4}
    return shown | ({"sort_code": "108800"} if card.type == "bacs_debit" else {"bank_name": card.brand})
