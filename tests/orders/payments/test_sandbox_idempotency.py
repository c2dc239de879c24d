import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from orders.payments.sandbox.errors import InvalidRequest
from orders.payments.sandbox.idempotency import KeysInFlight
from tests.sandbox import Sandbox

PURCHASE = {"amount": 1234, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}


def buy(sandbox: Sandbox, key: str, **changes: object) -> stripe.PaymentIntent:
    client = sandbox.client()
    return client.v1.payment_intents.create({**PURCHASE, **changes}, {"idempotency_key": key})


def captured(sandbox: Sandbox) -> int:
    return sandbox.read_books("SELECT count(*) FROM charges WHERE captured = 1")[0][0]


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def test_the_same_key_gets_the_first_answer_again(shared_sandbox, key):
    before = captured(shared_sandbox)
    first, second = buy(shared_sandbox, key), buy(shared_sandbox, key)
    assert second.to_dict() == first.to_dict()
    assert captured(shared_sandbox) == before + 1
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert second.last_response.headers["Original-Request"] == first.last_response.request_id
    assert second.last_response.request_id != first.last_response.request_id


def test_without_a_guard_the_same_request_charges_twice(shared_sandbox, key):
    before = captured(shared_sandbox)
    buy(shared_sandbox, key)
    buy(shared_sandbox, key + "-new")
    assert captured(shared_sandbox) == before + 2


def test_a_decline_is_an_answer_and_is_given_again(shared_sandbox, key):
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            buy(shared_sandbox, key, payment_method="pm_card_chargeDeclined")
        errors.append(caught.value)
    assert errors[0].json_body == errors[1].json_body
    assert errors[1].headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("changes", [{"amount": 1235}, {"metadata": {"order": "8"}}])
def test_a_key_with_other_parameters_is_refused(shared_sandbox, key, changes):
    buy(shared_sandbox, key)
    before = captured(shared_sandbox)
    with pytest.raises(stripe.IdempotencyError) as caught:
        buy(shared_sandbox, key, **changes)
    assert caught.value.http_status == 400
    assert "same parameters" in caught.value.user_message
    assert captured(shared_sandbox) == before


def test_a_key_at_another_endpoint_is_refused(shared_sandbox, key):
    intent = buy(shared_sandbox, key)
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        shared_sandbox.client().v1.payment_intents.cancel(intent.id, {}, {"idempotency_key": key})


def test_a_request_that_was_not_valid_leaves_its_key_unused(shared_sandbox, key):
    with pytest.raises(stripe.InvalidRequestError):
        buy(shared_sandbox, key, amount=1)
    assert buy(shared_sandbox, key).status == "succeeded"


def test_an_unreasonably_long_key_is_refused(shared_sandbox):
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        buy(shared_sandbox, "k" * 256)
    assert buy(shared_sandbox, uuid.uuid4().hex.ljust(255, "k")).status == "succeeded"


def test_a_key_is_forgotten_after_a_day(sandbox, key):
    first = buy(sandbox, key)
    sandbox.write_books("UPDATE answers SET created = ?", int(time.time()) - 24 * 3600 + 60)
    assert buy(sandbox, key).id == first.id
    sandbox.write_books("UPDATE answers SET created = ?", int(time.time()) - 24 * 3600 - 1)
    assert buy(sandbox, key).id != first.id
    assert captured(sandbox) == 2


def test_many_at_once_with_one_key_charge_once(sandbox, key):
    def attempt(_: int) -> str:
        try:
            return buy(sandbox, key).status
        except stripe.APIError as error:
            return f"{error.http_status} {error.error.code}"

    with ThreadPoolExecutor(16) as pool:
        outcomes = set(pool.map(attempt, range(64)))
    assert outcomes <= {"succeeded", "409 idempotency_key_in_use"}
    assert captured(sandbox) == 1
    assert buy(sandbox, key).status == "succeeded"


def test_a_key_in_flight_is_refused_until_it_is_done():
    keys = KeysInFlight()
    with keys.hold("a"), keys.hold("b"):
        with pytest.raises(InvalidRequest) as caught, keys.hold("a"):
            pass
        assert (caught.value.status, caught.value.error["code"]) == (409, "idempotency_key_in_use")
    with keys.hold("a"):
        pass


def test_after_kill_9_the_answer_is_given_again_and_the_charge_is_not_made_again(sandbox, key):
    first = buy(sandbox, key)
    sandbox.kill()
    with pytest.raises(stripe.APIConnectionError):
        buy(sandbox, key)
    sandbox.start()
    again = buy(sandbox, key)
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert captured(sandbox) == 1


def test_killed_in_the_middle_of_many_requests_every_answer_has_its_charge(sandbox):
    keys = [uuid.uuid4().hex for _ in range(400)]

    def attempt(key: str) -> str | None:
        try:
            return buy(sandbox, key).id
        except stripe.APIConnectionError:
            return None

    with ThreadPoolExecutor(8) as pool:
        attempts = [pool.submit(attempt, key) for key in keys]
        attempts[100].result()
        sandbox.kill()
        answered = {key: done.result() for key, done in zip(keys, attempts, strict=True)}
    assert None in answered.values()
    sandbox.start()
    for key, reference in answered.items():
        intent = buy(sandbox, key)
        assert reference in {None, intent.id}
    assert captured(sandbox) == len(keys)
