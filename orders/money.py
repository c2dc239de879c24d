"""Money for people: integer minor units and an ISO 4217 code become "£12.50", "¥1,200" or "KWD 1.250"."""

# ISO 4217 currencies whose minor unit is not a hundredth. What is not named here has two decimals.
DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
SYMBOLS = {"EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "KRW": "₩", "USD": "$"}


def format_money(amount: int, currency: str) -> str:
    """Return an amount in minor units as people write it.

    A currency without a sign of its own shows its code, held to the figure by a no-break space.
    """
    decimals = DECIMALS.get(currency, 2)
    whole, part = divmod(abs(amount), 10**decimals)
    figure = f"{whole:,}.{part:0{decimals}}" if decimals else f"{whole:,}"
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    symbol = SYMBOLS.get(currency, currency + "\N{NO-BREAK SPACE}")
    return f"{sign}{symbol}{figure}"
