"""Stripe's paths, and what is done for each."""

import re
from collections.abc import Callable

from orders.payments.sandbox import charges, events, intents, refunds
from orders.payments.sandbox.books import Document
from orders.payments.sandbox.errors import InvalidRequest

# The work of a path, given the books, what its pattern captured, and the parameters.
Endpoint = Callable[..., Document]
ONE = r"(?P<reference>[^/]+)"
ROUTES: tuple[tuple[str, re.Pattern[str], Endpoint], ...] = tuple(
    (method, re.compile(pattern), endpoint)
    for method, pattern, endpoint in (
        ("POST", r"/v1/payment_intents", intents.create),
        ("GET", r"/v1/payment_intents", intents.list_intents),
        ("GET", rf"/v1/payment_intents/{ONE}", intents.retrieve),
        ("POST", rf"/v1/payment_intents/{ONE}/confirm", intents.confirm),
        ("POST", rf"/v1/payment_intents/{ONE}/cancel", intents.cancel),
        ("GET", r"/v1/charges", charges.list_charges),
        ("GET", rf"/v1/charges/{ONE}", charges.retrieve),
        ("POST", r"/v1/refunds", refunds.create),
        ("GET", r"/v1/refunds", refunds.list_refunds),
        ("GET", rf"/v1/refunds/{ONE}", refunds.retrieve),
        ("GET", r"/v1/events", events.list_events),
        ("GET", rf"/v1/events/{ONE}", events.retrieve),
    )
)


def find_endpoint(method: str, path: str) -> tuple[Endpoint, tuple[str, ...]]:
    for verb, pattern, endpoint in ROUTES:
        if verb == method and (match := pattern.fullmatch(path)):
            return endpoint, match.groups()
    raise InvalidRequest(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
    )
