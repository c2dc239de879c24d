"""The connection to Stripe through its official client, and its errors as ours."""

import os
from functools import cache
from http.cookiejar import DefaultCookiePolicy

import requests
import stripe
from requests.adapters import HTTPAdapter

from orders.payments.gateway import Declined, Misconfigured, Unavailable, Unknown

# Seconds. Stripe answers a card payment within a few; together they stay below the soft limit of the task (60).
CONNECT_TIMEOUT, READ_TIMEOUT = 5, 25
POOL_SIZE = 32  # connections kept; more threads than this still work, on connections of their own
# What the shopper chose and not what we programmed: such a request is over, and the shopper can be told why.
SHOPPERS_PARAMETERS = {
    "amount": "This amount cannot be paid by card.",
    "currency": "This currency cannot be paid by card.",
    "payment_method": "This payment method cannot be used.",
}

IN_USE = 409  # another run is asking with the same key

# Otherwise the client writes an identifier into the user's home and sends it along with details of the machine.
stripe.enable_telemetry = False


@cache
def connect(api_key: str, base: str) -> stripe.StripeClient:
    """One client for each process, and one session for all its threads."""
    return stripe.StripeClient(
        api_key,
        base_addresses={"api": base},
        http_client=stripe.RequestsClient(timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), session=_session(base)),
        max_network_retries=0,  # our own tasks retry: with backoff, across restarts, and where people can see it
    )


def _session(base: str) -> requests.Session:
    """A session that keeps its connections alive. Without cookies its threads share nothing but the pool."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount(base, HTTPAdapter(pool_maxsize=POOL_SIZE))
    # Proxies of the environment are for Stripe, not for the sandbox on this machine, which speaks plain HTTP.
    session.trust_env = base.startswith("https:")
    return session


# A connection must not be shared with a child process: both would write into it.
os.register_at_fork(after_in_child=connect.cache_clear)


def sort_out(error: stripe.StripeError) -> Exception:
    """The error as one of ours, by what is known about the money. What is not known to be harmless is Unknown."""
    text = error.user_message or type(error).__name__
    match error:
        case stripe.CardError():
            return Declined(_code(error), text, _intent_of(error))
        case stripe.InvalidRequestError(param=str(param)) if param in SHOPPERS_PARAMETERS:
            return Declined(error.code or "invalid", SHOPPERS_PARAMETERS[param])
        case stripe.RateLimitError():
            return Unavailable(text)
        case (
            stripe.InvalidRequestError()
            | stripe.IdempotencyError()
            | stripe.AuthenticationError()
            | stripe.PermissionError()
        ):
            return Misconfigured(text)
        case _:  # no connection, a time-out, a 5xx; or a 409, of a provider that is well: the key is in use
            return Unknown(text, answered=error.http_status == IN_USE, spent=_is_kept(error))


def _is_kept(error: stripe.StripeError) -> bool:
    """Whether Stripe keeps this very answer, also a 500, for the key: https://docs.stripe.com/api/idempotent_requests."""
    return (error.headers or {}).get("Idempotent-Replayed") == "true"


def _code(error: stripe.CardError) -> str:
    decline_code = error.error.decline_code if error.error else None
    return decline_code or error.code or "card_declined"


def _intent_of(error: stripe.CardError) -> str:
    intent = error.error.payment_intent if error.error else None
    return intent.id if intent else ""
