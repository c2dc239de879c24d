"""Answers requests: finds what is asked for, lets faults strike, and keeps what Stripe keeps."""

import json
import time
from typing import NamedTuple

from orders.payments.sandbox.books import Books, Document, Origin
from orders.payments.sandbox.courier import Courier
from orders.payments.sandbox.errors import InvalidRequest, Refusal
from orders.payments.sandbox.expanding import expanded, without_expand
from orders.payments.sandbox.faults import OF_ANSWERS, OF_REQUESTS, Fault, Faults, parse_rules
from orders.payments.sandbox.idempotency import Answer, KeyedRequest, KeysInFlight, Spoiling, run, run_once
from orders.payments.sandbox.parameters import Parameters
from orders.payments.sandbox.routes import find_endpoint

FAULTS = "/sandbox/faults"
SERVER_ERROR = Answer(
    500,
    {"error": {"type": "api_error", "message": "An unknown error occurred. Sorry! We have been notified."}},
)
TOO_MANY = Answer(
    429,
    Refusal(
        429, "Request rate limit exceeded. You can retry with exponential backoff.", code="rate_limit"
    ).body,
    {"Stripe-Rate-Limited-Reason": "global-rate"},
)


class Request(NamedTuple):
    id: str
    method: str
    path: str
    parameters: Parameters
    key: str | None = None  # the idempotency key

    @property
    def asked(self) -> str:
        """What tells one question from another, for faults by seed."""
        return self.key or f"{self.method} {self.path} {sorted(self.parameters.items())}"


class Desk:
    def __init__(self, books: Books, faults: Faults, courier: Courier) -> None:
        self._books, self._faults, self._courier = books, faults, courier
        self._keys_in_flight = KeysInFlight()

    def answer(self, request: Request) -> Answer | None:
        """The answer; None if the connection is to end without one."""
        where = {"method": request.method, "path": request.path}
        strike = self._faults.strike(OF_REQUESTS, request.asked, **where)
        fault = strike.fault if strike else None
        if fault is Fault.DROP_BEFORE:
            return None
        if fault is Fault.ERROR_BEFORE:
            return SERVER_ERROR
        if fault is Fault.RATE_LIMIT:
            return TOO_MANY
        delay = strike.seconds if strike and fault is Fault.DELAY else 0
        instead = SERVER_ERROR if fault is Fault.ERROR_AFTER else None
        answer = self._work(request, Spoiling(delay, instead))
        if self._faults.strike(OF_ANSWERS, f"{request.asked} early", **where):
            self._courier.send_now(request.id)
        return None if fault is Fault.DROP_AFTER else answer

    def _work(self, request: Request, spoiling: Spoiling) -> Answer:
        try:
            endpoint, captured = find_endpoint(request.method, request.path)

            def work() -> Document:
                done = endpoint(self._books, *captured, without_expand(request.parameters))
                return expanded(self._books, done, request.parameters)

            if request.method == "POST" and request.key:
                keyed = KeyedRequest(request.id, request.key, request.path, request.parameters)
                return run_once(self._books, self._keys_in_flight, keyed, work, spoiling)
            time.sleep(spoiling.delay)
            with self._books.transaction(Origin(request.id, None, request.path)):
                done = run(work)
                return spoiling.instead or done
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body)

    def control(self, method: str, body: str) -> Answer:
        """The faults in force, which a POST replaces and a DELETE ends, and how often each has struck.

        None of this is Stripe's.
        """
        if method == "POST":
            try:
                self._faults.replace(parse_rules(json.loads(body)))
            except json.JSONDecodeError as error:
                raise InvalidRequest(f"Not JSON: {error}") from error
        elif method == "DELETE":
            self._faults.replace([])
        rules = [rule.shown() for rule in self._faults.rules]
        return Answer(
            200, {"object": "list", "data": rules, "struck": dict(sorted(self._faults.struck.items()))}
        )
