"""What Stripe accepts as an amount: an integer in the currency's smallest unit, between a floor and a ceiling."""

from orders.payments.sandbox.errors import InvalidRequest

# The smallest charge for each settlement currency, https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MINIMUM = {
    "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
# Amounts in these are whole units: 500 is five hundred yen. https://docs.stripe.com/currencies#zero-decimal
ZERO_DECIMAL = frozenset(
    (
        "bif",
        "clp",
        "djf",
        "gnf",
        "jpy",
        "kmf",
        "krw",
        "mga",
        "pyg",
        "rwf",
        "ugx",
        "vnd",
        "vuv",
        "xaf",
        "xof",
        "xpf",
    )
)
CURRENCIES = frozenset(MINIMUM) | ZERO_DECIMAL
MAXIMUM = 99_999_999  # eight digits


def parse_currency(text: str | None) -> str:
    """The currency in lower case, or InvalidRequest when it is missing or not one we know."""
    if not text:
        raise InvalidRequest("Missing required param: currency.", code="parameter_missing", param="currency")
    currency = text.lower()
    if currency not in CURRENCIES:
        known = ", ".join(sorted(CURRENCIES))
        raise InvalidRequest(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {known}",
            param="currency",
        )
    return currency


def parse_amount(text: str | None, currency: str) -> int:
    """The amount in minor units, or InvalidRequest when it is missing, no integer, too small or too large."""
    if not text:
        raise InvalidRequest("Missing required param: amount.", code="parameter_missing", param="amount")
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise InvalidRequest(f"Invalid integer: {text}", code="parameter_invalid_integer", param="amount")
    amount = int(text) if len(text) <= len(str(MAXIMUM)) else MAXIMUM + 1
    if amount < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount < MINIMUM.get(currency, 1):
        raise InvalidRequest(
            f"Amount must be at least {words(MINIMUM[currency], currency)}",
            code="amount_too_small",
            param="amount",
        )
    if amount > MAXIMUM:
        raise InvalidRequest(
            f"Amount must be no more than {words(MAXIMUM, currency)}", code="amount_too_large", param="amount"
        )
    return amount


def words(amount: int, currency: str) -> str:
    """`amount` minor units for a person to read: 1050 gbp is "10.50 gbp", 500 jpy is "500 jpy"."""
    if currency in ZERO_DECIMAL:
        return f"{amount} {currency}"
    return f"{amount // 100}.{amount % 100:02} {currency}"
