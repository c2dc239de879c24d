import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import stripe

from orders.payments.sandbox.faults import OF_REQUESTS, Faults, Rule
from tests.sandbox import KEY, Sandbox

PURCHASE = {"amount": 1234, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}


def buy(sandbox: Sandbox, key: str, order: str = "") -> stripe.PaymentIntent:
    params = {**PURCHASE, "metadata": {"order": order or key}}
    return sandbox.client().v1.payment_intents.create(params, {"idempotency_key": key})


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def faulty(shared_sandbox):
    yield shared_sandbox
    shared_sandbox.set_faults([])


def test_an_answer_that_is_dropped_after_the_charge_is_given_again(faulty, key):
    faulty.set_faults([{"fault": "drop_after", "times": 1}])
    with pytest.raises(stripe.APIConnectionError):
        buy(faulty, key)
    assert faulty.charges_of(key) == [(1234, "gbp")]
    again = buy(faulty, key)
    assert (again.status, again.last_response.headers["Idempotent-Replayed"]) == ("succeeded", "true")
    assert faulty.charges_of(key) == [(1234, "gbp")]


def test_a_connection_that_is_dropped_before_the_charge_has_done_nothing(faulty, key):
    faulty.set_faults([{"fault": "drop_before", "times": 1}])
    with pytest.raises(stripe.APIConnectionError):
        buy(faulty, key)
    assert faulty.charges_of(key) == []
    assert "Idempotent-Replayed" not in buy(faulty, key).last_response.headers


def test_an_error_before_the_charge_keeps_nothing(faulty, key):
    faulty.set_faults([{"fault": "error_before", "times": 1}])
    with pytest.raises(stripe.APIError) as caught:
        buy(faulty, key)
    assert caught.value.http_status == 500
    assert faulty.charges_of(key) == []
    assert buy(faulty, key).status == "succeeded"


def test_an_error_after_the_charge_is_kept_and_only_a_look_up_finds_the_charge(faulty, key):
    faulty.set_faults([{"fault": "error_after", "times": 1}])
    errors = []
    for _ in range(3):
        with pytest.raises(stripe.APIError) as caught:
            buy(faulty, key)
        errors.append((caught.value.http_status, caught.value.headers.get("Idempotent-Replayed")))
    assert errors == [(500, None), (500, "true"), (500, "true")]
    assert faulty.charges_of(key) == [(1234, "gbp")]
    found = [i for i in faulty.client().v1.payment_intents.list() if i.metadata.to_dict().get("order") == key]
    assert [intent.status for intent in found] == ["succeeded"]


def test_a_rate_limit_comes_before_everything(faulty, key):
    faulty.set_faults([{"fault": "rate_limit", "times": 1}])
    with pytest.raises(stripe.RateLimitError) as caught:
        buy(faulty, key)
    assert (caught.value.http_status, caught.value.error.code) == (429, "rate_limit")
    assert faulty.charges_of(key) == []
    assert buy(faulty, key).status == "succeeded"


def test_while_an_answer_is_late_its_key_is_in_use(faulty, key):
    faulty.set_faults([{"fault": "delay", "seconds": 2, "times": 1}])
    with ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        late = pool.submit(buy, faulty, key)
        errors = set()
        while not errors:
            try:
                assert faulty.faults()[0]["times"] == 1 or buy(faulty, key)
            except stripe.APIError as error:
                errors.add((error.http_status, error.error.code))
            assert time.monotonic() < begun + 2
        assert errors == {(409, "idempotency_key_in_use")}
        assert late.result().status == "succeeded"
    assert time.monotonic() - begun >= 2
    assert faulty.charges_of(key) == [(1234, "gbp")]


def test_a_rule_strikes_only_the_path_and_method_that_it_names(faulty, key):
    faulty.set_faults([{"fault": "error_before", "path": "^/v1/refunds$", "method": "POST"}])
    intent = buy(faulty, key)
    assert faulty.client().v1.refunds.list().data is not None
    with pytest.raises(stripe.APIError):
        faulty.client().v1.refunds.create({"payment_intent": intent.id})
    assert faulty.refunds_of(key) == []


def test_rules_are_shown_with_what_is_left_of_them_and_taken_back(faulty, key):
    before = faulty.struck().get("error_before", 0)
    faulty.set_faults([{"fault": "error_before", "times": 2}])
    with pytest.raises(stripe.APIError):
        buy(faulty, key)
    assert faulty.struck()["error_before"] == before + 1
    assert [(rule["fault"], rule["times"]) for rule in faulty.faults()] == [("error_before", 1)]
    requests.delete(f"{faulty.url}/sandbox/faults", headers={"Authorization": f"Bearer {KEY}"}, timeout=10)
    assert faulty.faults() == []
    assert buy(faulty, key).status == "succeeded"


@pytest.mark.parametrize(
    "rules",
    [
        "{",
        "{}",
        "[1]",
        '[{"path": ""}]',
        '[{"fault": "flood"}]',
        '[{"fault": "delay", "path": "("}]',
        '[{"fault": "delay", "chance": 2}]',
        '[{"fault": "delay", "chance": "x"}]',
        '[{"fault": "delay", "colour": 1}]',
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_and_changes_nothing(faulty, rules):
    faulty.set_faults([{"fault": "delay", "times": 0}])
    answer = requests.post(
        f"{faulty.url}/sandbox/faults", rules, headers={"Authorization": f"Bearer {KEY}"}, timeout=10
    )
    assert answer.status_code == 400
    assert [rule["fault"] for rule in faulty.faults()] == ["delay"]


def test_the_faults_can_only_be_set_with_the_key(faulty):
    answer = requests.post(
        f"{faulty.url}/sandbox/faults", "[]", headers={"Authorization": "Bearer x"}, timeout=10
    )
    assert answer.status_code == 401


def struck(seed: int, questions: list[str]) -> dict[str, str]:
    faults = Faults(seed, [Rule("any", chance=0.05)])
    strikes = {asked: faults.strike(OF_REQUESTS, asked, method="POST", path="/") for asked in questions}
    return {asked: str(strike.fault) for asked, strike in strikes.items() if strike}


def test_the_same_seed_strikes_the_same_questions_in_whatever_order_they_come():
    questions = [f"order-{number}" for number in range(2000)]
    assert struck(7, questions) == struck(7, questions[::-1])
    assert struck(7, questions) != struck(8, questions)
    assert 70 <= len(struck(7, questions)) <= 130
    assert set(struck(7, questions).values()) == set(OF_REQUESTS)


def test_a_question_that_is_asked_again_is_drawn_for_again():
    faults = Faults(7, [Rule("any", chance=0.5)])
    drawn = {faults.strike(OF_REQUESTS, "one", method="POST", path="/") is None for _ in range(50)}
    assert drawn == {True, False}


def test_a_share_of_all_requests_can_be_struck_from_the_start(tmp_path):
    sandbox = Sandbox(tmp_path)
    sandbox.start(faults=1.0, seed=3)
    assert [(rule["fault"], rule["chance"]) for rule in sandbox.faults()] == [("any", 1.0)]
    sandbox.set_faults([])
    assert buy(sandbox, "k").status == "succeeded"
    sandbox.stop()
