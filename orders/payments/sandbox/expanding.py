"""`expand`: a reference inside an answer is replaced by what it refers to, https://docs.stripe.com/api/expanding_objects."""

from collections.abc import Callable

from orders.payments.sandbox import charges, intents, refunds
from orders.payments.sandbox.books import Books, Document
from orders.payments.sandbox.errors import InvalidRequest
from orders.payments.sandbox.parameters import Parameters, array

REFERENCES: dict[str, Callable[[Books, str, Parameters], Document]] = {
    "charge": charges.retrieve,
    "latest_charge": charges.retrieve,
    "payment_intent": intents.retrieve,
}
REFUNDS = "refunds"  # of a charge: a list, which is only shown when asked for


def without_expand(parameters: Parameters) -> Parameters:
    return {name: value for name, value in parameters.items() if not name.startswith("expand[")}


def expanded(books: Books, document: Document, parameters: Parameters) -> Document:
    """`document` with what `expand[]` asks for; in a list, `data.` leads to each of its objects."""
    for path in array(parameters, "expand"):
        document = expand(books, document, path.split("."))
    return document


def expand(books: Books, document: Document, names: list[str]) -> Document:
    name, *deeper = names
    if name == "data" and document.get("object") == "list" and deeper:
        return document | {"data": [expand(books, each, deeper) for each in document["data"]]}
    if name == REFUNDS and document["object"] == "charge":
        found = refunds.list_refunds(books, {"charge": document["id"]})
        return document | {REFUNDS: found | {"url": f"/v1/charges/{document['id']}/refunds"}}
    if name not in REFERENCES or name not in document:
        raise InvalidRequest(f"This property cannot be expanded ({name}).", param="expand")
    inner = document[name]
    if isinstance(inner, str):
        inner = REFERENCES[name](books, inner, {})
    if deeper and inner is not None:
        inner = expand(books, inner, deeper)
    return document | {name: inner}
