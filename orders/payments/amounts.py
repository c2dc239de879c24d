"""Amounts as Stripe counts them, and as ISO 4217 does: for a few currencies these are not the same.

https://docs.stripe.com/currencies#special-cases. What Stripe's smallest and largest charges are is for Stripe to say.
"""

from typing import Final

from orders.money import DECIMALS
from orders.payments.gateway import Declined

ZERO_DECIMAL: Final = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
#: Without decimals today, but sent with two, as they were before; the two must be zeros.
TWO_DECIMAL_ZEROS: Final = frozenset(("ISK", "UGX"))
#: The last of the three must be a zero.
THREE_DECIMAL: Final = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))

STRIPES_DECIMALS: Final = {
    **dict.fromkeys(ZERO_DECIMAL, 0),
    **dict.fromkeys(TWO_DECIMAL_ZEROS, 2),
    **dict.fromkeys(THREE_DECIMAL, 3),
}


class Inexact(Declined):
    """Stripe cannot move this amount to the last minor unit, and rounding would take another one than was agreed."""


def to_provider(amount: int, currency: str) -> int:
    """The number that Stripe is given for `amount` minor units.

    Raises Inexact, with words for the shopper, when there is none, or when nobody has written down how Stripe
    counts a currency whose minor unit is not a hundredth.
    """
    more = _more_decimals(currency)
    if more and currency not in STRIPES_DECIMALS:
        raise Inexact("currency_not_supported", f"Prices in {currency} cannot be paid by card.")
    number, rest = _shift(amount, more)
    if rest or (currency in THREE_DECIMAL and number % 10):
        raise Inexact("amount_not_exact", f"This amount of {currency} cannot be paid by card exactly.")
    return number


def from_provider(number: int, currency: str) -> int:
    """The minor units that Stripe's `number` stands for. Raises ValueError for a fraction, which Stripe never moves."""
    amount, rest = _shift(number, -_more_decimals(currency))
    if rest:
        raise ValueError(f"{number} is no whole number of {currency}")
    return amount


def _more_decimals(currency: str) -> int:
    """How many decimals Stripe counts more than ISO 4217 has."""
    return STRIPES_DECIMALS.get(currency, 2) - DECIMALS.get(currency, 2)


def _shift(number: int, places: int) -> tuple[int, int]:
    """`number` with so many decimal places more, or fewer, and what is lost by it."""
    return (number * 10**places, 0) if places >= 0 else divmod(number, 10**-places)
