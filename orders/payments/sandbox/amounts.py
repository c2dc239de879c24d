"""What Stripe accepts as an amount: an integer in the currency's smallest unit, between a floor and a ceiling.

https://docs.stripe.com/currencies says which currencies there are and how each is written.
"""

from orders.payments.sandbox.errors import InvalidRequest

# The smallest charge for each settlement currency, #minimum-and-maximum-charge-amounts
MINIMUM = {
    "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50, "gbp": 30,
    "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50, "pln": 200,
    "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
# Amounts in these are whole units: 500 is five hundred yen. #zero-decimal
ZERO_DECIMAL = frozenset((
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
))  # fmt: skip
# Thousandths, but the last digit must be 0. #three-decimal
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
# They have no minor unit, and are written with two decimals all the same, which must be 00. #special-cases
WHOLE = frozenset(("isk", "ugx"))
OTHERS = frozenset((
    "afn", "all", "amd", "ang", "aoa", "ars", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bmd", "bnd", "bob",
    "bsd", "bwp", "bzd", "cny", "cop", "crc", "cve", "dop", "dzd", "egp", "etb", "fjd", "fkp", "gel", "gip",
    "gmd", "gtq", "gyd", "hnl", "hrk", "htg", "idr", "ils", "jmd", "kes", "kgs", "khr", "kyd", "kzt", "lak",
    "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mzn", "nad",
    "ngn", "nio", "npr", "pab", "pen", "pgk", "php", "pkr", "qar", "rsd", "rub", "sar", "sbd", "scr", "shp",
    "sle", "sos", "srd", "std", "szl", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "uyu", "uzs", "wst",
    "xcd", "yer", "zar", "zmw",
))  # fmt: skip
CURRENCIES = frozenset(MINIMUM) | ZERO_DECIMAL | THREE_DECIMAL | WHOLE | OTHERS
MAXIMUM = 99_999_999  # eight digits
SIGNS = {"eur": "€", "gbp": "£", "jpy": "¥", "usd": "$"}


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


def parse_amount(text: str | None, currency: str, *, least: int | None = None) -> int:
    """The amount in minor units, or InvalidRequest when it is missing, no integer, too small or large, or too fine.

    `least` is in place of the currency's smallest charge.
    """
    if not text:
        raise InvalidRequest("Missing required param: amount.", code="parameter_missing", param="amount")
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise InvalidRequest(f"Invalid integer: {text}", code="parameter_invalid_integer", param="amount")
    amount = int(text) if len(text) <= len(str(MAXIMUM)) else MAXIMUM + 1
    if amount < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    floor = MINIMUM.get(currency, 1) if least is None else least
    if amount < floor:
        raise InvalidRequest(
            f"Amount must be at least {words(floor, currency)}", code="amount_too_small", param="amount"
        )
    if amount > MAXIMUM:
        raise InvalidRequest(
            f"Amount must be no more than {words(MAXIMUM, currency)}", code="amount_too_large", param="amount"
        )
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE else 1
    if amount % step:
        raise InvalidRequest(
            f"Invalid amount: {amount}. Amounts in {currency} must be divisible by {step}.", param="amount"
        )
    return amount


def words(amount: int, currency: str) -> str:
    """`amount` minor units for a person to read, as in Stripe's errors: 1050 gbp is "£10.50 gbp"."""
    return f"{figure(amount, currency)} {currency}"


def figure(amount: int, currency: str) -> str:
    """`amount` minor units with the currency's sign, if it has one here: 1050 gbp is "£10.50"."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, part = divmod(amount, 10**decimals)
    return SIGNS.get(currency, "") + (f"{whole}.{part:0{decimals}}" if decimals else f"{whole}")
