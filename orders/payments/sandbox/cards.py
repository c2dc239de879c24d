"""Stripe's test payment methods: which card each stands for, and how it is declined if it is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Decline:
    """Why the bank said no: Stripe's `code` and `decline_code`, and the words a shopper may read."""

    code: str
    decline_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    brand: str
    last4: str
    funding: str = "credit"
    decline: Decline | None = None


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
}


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
        "card": {
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
        },
        "created": created,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
