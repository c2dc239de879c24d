"""Form parameters as Stripe's clients send them: nested names in brackets, everything a string."""

from collections.abc import Mapping
from typing import TypeAlias

from orders.payments.sandbox.errors import InvalidRequest

Parameters: TypeAlias = Mapping[str, str]  # {"amount": "100", "metadata[order]": "7"}: the names as they came

# https://docs.stripe.com/api/metadata
METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


def refuse_unknown(parameters: Parameters, known: frozenset[str]) -> None:
    """Raise InvalidRequest for a parameter that the endpoint does not take: a misspelt one is never ignored."""
    for name in parameters:
        if name.partition("[")[0] not in known:
            raise InvalidRequest(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def boolean(parameters: Parameters, name: str) -> bool:
    text = parameters.get(name, "false")
    if text not in {"true", "false"}:
        raise InvalidRequest(f"Invalid boolean: {text}", param=name)
    return text == "true"


def integer(parameters: Parameters, name: str, default: int, *, least: int = 0, most: int = 2**53) -> int:
    """The parameter between `least` and `most`, or `default` when it was not sent."""
    text = parameters.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
        raise InvalidRequest(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    return int(text)


def array(parameters: Parameters, name: str) -> list[str]:
    """The values of name[0], name[1], ... or of name[]."""
    return [value for given, value in parameters.items() if given.startswith(f"{name}[")]


def metadata(parameters: Parameters) -> dict[str, str]:
    """The pairs of metadata[key]=value. An empty value means "no such key", as with Stripe."""
    pairs = {
        name[len("metadata[") : -1]: value
        for name, value in parameters.items()
        if name.startswith("metadata[") and name.endswith("]") and value
    }
    if len(pairs) > METADATA_KEYS:
        raise InvalidRequest(f"Metadata can have at most {METADATA_KEYS} keys.", param="metadata")
    for key, value in pairs.items():
        if not 0 < len(key) <= METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise InvalidRequest(
                f"Metadata keys can be up to {METADATA_KEY_LENGTH} characters long and values up to "
                f"{METADATA_VALUE_LENGTH}: '{key[:METADATA_KEY_LENGTH]}'",
                param="metadata",
            )
    return pairs
