"""Stripe's lists of 2026, written out: https://docs.stripe.com/currencies#zero-decimal and #special-cases."""

import pytest

from orders.payments.amounts import Inexact, from_provider, to_provider
from orders.payments.gateway import Declined

ZERO_DECIMAL = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
THREE_DECIMAL = ["BHD", "JOD", "KWD", "OMR", "TND"]
TWO_DECIMAL = [
    "AED",
    "AUD",
    "BRL",
    "CAD",
    "CHF",
    "CZK",
    "EUR",
    "GBP",
    "HUF",
    "INR",
    "MXN",
    "NOK",
    "PLN",
    "TWD",
    "USD",
    "ZAR",
]


@pytest.mark.parametrize("currency", ZERO_DECIMAL)
def test_500_yen_and_their_like_are_500(currency):
    assert to_provider(500, currency) == 500
    assert from_provider(500, currency) == 500


@pytest.mark.parametrize("currency", TWO_DECIMAL)
def test_ten_dollars_and_their_like_are_1000_cents(currency):
    assert to_provider(1000, currency) == 1000
    assert from_provider(1000, currency) == 1000


@pytest.mark.parametrize("currency", ["ISK", "UGX"])
def test_5_kronur_are_500_with_decimals_that_are_always_zeros(currency):
    assert to_provider(5, currency) == 500
    assert from_provider(500, currency) == 5
    with pytest.raises(ValueError, match="501 is no whole number"):
        from_provider(501, currency)


@pytest.mark.parametrize("currency", THREE_DECIMAL)
def test_three_decimals_must_end_in_a_zero(currency):
    assert to_provider(5120, currency) == 5120
    assert from_provider(5120, currency) == 5120
    with pytest.raises(Inexact, match=f"This amount of {currency} cannot be paid by card exactly"):
        to_provider(5124, currency)


def test_ariary_have_two_decimals_in_iso_4217_and_none_at_stripe():
    assert to_provider(500, "MGA") == 5
    assert from_provider(5, "MGA") == 500
    with pytest.raises(Inexact, match="cannot be paid by card exactly"):
        to_provider(550, "MGA")


@pytest.mark.parametrize("currency", ["CLF", "IQD", "LYD", "UYI", "UYW"])
def test_a_currency_whose_counting_nobody_has_written_down_is_refused(currency):
    with pytest.raises(Inexact, match=f"Prices in {currency} cannot be paid by card") as caught:
        to_provider(1000, currency)
    assert isinstance(caught.value, Declined)
    assert caught.value.code == "currency_not_supported"
