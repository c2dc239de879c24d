import time
import uuid

import pytest
import stripe

from tests.sandbox import Sandbox

DECLINES = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
    ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
    ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
    ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
    ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
]
SUCCESSES = [
    "pm_card_visa",
    "pm_card_visa_debit",
    "pm_card_mastercard",
    "pm_card_mastercard_debit",
    "pm_card_mastercard_prepaid",
    "pm_card_amex",
    "pm_card_discover",
    "pm_card_diners",
    "pm_card_jcb",
    "pm_card_unionpay",
]


def buy(sandbox: Sandbox, card: str = "pm_card_visa", **extra: object) -> stripe.PaymentIntent:
    params = {"amount": 1234, "currency": "gbp", "confirm": True, "payment_method": card, **extra}
    return sandbox.client().v1.payment_intents.create(params)


@pytest.mark.parametrize("card", SUCCESSES)
def test_a_good_card_is_charged_once(shared_sandbox, card):
    intent = buy(shared_sandbox, card, metadata={"order": "seven"}, description="Order seven")
    assert (intent.status, intent.amount, intent.amount_received, intent.currency) == (
        "succeeded",
        1234,
        1234,
        "gbp",
    )
    assert intent.metadata.to_dict() == {"order": "seven"}
    assert intent.description == "Order seven"
    charges = "SELECT id, amount, currency, captured FROM charges WHERE intent = ?"
    assert shared_sandbox.read_books(charges, intent.id) == [(intent.latest_charge, 1234, "gbp", 1)]


@pytest.mark.parametrize(("card", "code", "decline_code"), DECLINES)
def test_a_bad_card_is_declined_with_the_codes_of_stripe(shared_sandbox, card, code, decline_code):
    with pytest.raises(stripe.CardError) as caught:
        buy(shared_sandbox, card)
    error = caught.value
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, decline_code)
    intent = shared_sandbox.client().v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.status, intent.amount_received, intent.payment_method) == (
        "requires_payment_method",
        0,
        None,
    )
    assert intent.last_payment_error.decline_code == decline_code
    captured = "SELECT captured, decline_code FROM charges WHERE intent = ?"
    assert shared_sandbox.read_books(captured, intent.id) == [(0, decline_code)]


def test_a_declined_intent_may_be_paid_with_another_card(shared_sandbox):
    intents = shared_sandbox.client().v1.payment_intents
    with pytest.raises(stripe.CardError) as caught:
        buy(shared_sandbox, "pm_card_chargeDeclined")
    paid = intents.confirm(caught.value.error.payment_intent.id, {"payment_method": "pm_card_mastercard"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


def test_an_intent_that_succeeded_cannot_be_confirmed_or_cancelled(shared_sandbox):
    intents = shared_sandbox.client().v1.payment_intents
    paid = buy(shared_sandbox)
    for refused in (intents.confirm, intents.cancel):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            refused(paid.id)
        assert (caught.value.http_status, caught.value.code) == (400, "payment_intent_unexpected_state")
        assert caught.value.error.payment_intent.status == "succeeded"
    assert len(shared_sandbox.read_books("SELECT * FROM charges WHERE intent = ?", paid.id)) == 1


def test_a_cancelled_intent_is_never_charged(shared_sandbox):
    intents = shared_sandbox.client().v1.payment_intents
    intent = intents.create({"amount": 500, "currency": "eur", "payment_method": "pm_card_visa"})
    assert intent.status == "requires_confirmation"
    cancelled = intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    assert cancelled.canceled_at is not None
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        intents.confirm(intent.id)
    assert shared_sandbox.read_books("SELECT * FROM charges WHERE intent = ?", intent.id) == []


def test_confirming_without_a_card_is_refused(shared_sandbox):
    intents = shared_sandbox.client().v1.payment_intents
    intent = intents.create({"amount": 500, "currency": "eur"})
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method"):
        intents.confirm(intent.id)


INVALID = [
    ({"amount": None}, "amount", "parameter_missing", "Missing required param: amount."),
    ({"amount": "12.5"}, "amount", "parameter_invalid_integer", "Invalid integer: 12.5"),
    ({"amount": "\u0661"}, "amount", "parameter_invalid_integer", "Invalid integer: \u0661"),
    ({"amount": -5}, "amount", "parameter_invalid_integer", "greater than or equal to 1"),
    ({"amount": 29}, "amount", "amount_too_small", "Amount must be at least £0.30 gbp"),
    ({"amount": 49, "currency": "jpy"}, "amount", "amount_too_small", "Amount must be at least ¥50 jpy"),
    ({"amount": 100_000_000}, "amount", "amount_too_large", "no more than £999999.99 gbp"),
    ({"amount": 10**30}, "amount", "amount_too_large", "no more than £999999.99 gbp"),
    ({"currency": None}, "currency", "parameter_missing", "Missing required param: currency."),
    ({"currency": "xxx"}, "currency", None, "Invalid currency: xxx"),
    ({"payment_method": "pm_nonsense"}, "payment_method", "resource_missing", "No such PaymentMethod"),
    ({"confirm": "perhaps"}, "confirm", None, "Invalid boolean: perhaps"),
    ({"amuont": 5}, "amuont", "parameter_unknown", "Received unknown parameter: amuont"),
    (
        {"payment_method_types": ["card"]},
        "payment_method_types",
        "payment_method_types_no_longer_supported",
        "Use allowed_payment_method_types",
    ),
    (
        {"allowed_payment_method_types": ["sepa_debit"]},
        "allowed_payment_method_types",
        None,
        "No valid payment method types.",
    ),
    ({"metadata": {"k" * 41: "v"}}, "metadata", None, "40 characters"),
    ({"metadata": {str(n): "v" for n in range(51)}}, "metadata", None, "at most 50 keys"),
]


@pytest.mark.parametrize(("changes", "param", "code", "message"), INVALID)
def test_invalid_parameters_are_refused_and_nothing_is_written(shared_sandbox, changes, param, code, message):
    before = shared_sandbox.read_books("SELECT count(*) FROM intents")
    params = {"amount": 1234, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa", **changes}
    kept = {name: value for name, value in params.items() if value is not None}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shared_sandbox.client().v1.payment_intents.create(kept)
    error = caught.value
    assert (error.http_status, error.param, error.code) == (400, param, code)
    assert message in error.user_message
    assert shared_sandbox.read_books("SELECT count(*) FROM intents") == before


def test_yen_have_no_minor_unit(shared_sandbox):
    intent = buy(shared_sandbox, amount=50, currency="JPY")
    assert (intent.amount_received, intent.currency) == (50, "jpy")


def test_an_unknown_intent_is_resource_missing(shared_sandbox):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shared_sandbox.client().v1.payment_intents.retrieve("pi_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert caught.value.user_message == "No such payment_intent: 'pi_nothing'"


def test_a_list_is_newest_first_in_pages_without_gaps(sandbox):
    made = [buy(sandbox, amount=100 + n).id for n in range(7)]
    intents = sandbox.client().v1.payment_intents
    first = intents.list({"limit": 3})
    assert (len(first.data), first.has_more) == (3, True)
    second = intents.list({"limit": 3, "starting_after": first.data[-1].id})
    assert (len(second.data), second.has_more) == (3, True)
    paged = [intent.id for intent in intents.list({"limit": 3}).auto_paging_iter()]
    assert paged == made[::-1]


def test_a_list_can_be_narrowed_by_when_the_intents_were_made(sandbox):
    old, new = buy(sandbox), buy(sandbox)
    an_hour_ago = int(time.time()) - 3600
    sandbox.write_books("UPDATE intents SET created = ? WHERE id = ?", an_hour_ago, old.id)
    intents = sandbox.client().v1.payment_intents
    assert [i.id for i in intents.list({"created": {"gte": an_hour_ago + 1}})] == [new.id]
    assert [i.id for i in intents.list({"created": {"gte": an_hour_ago}})] == [new.id, old.id]
    assert [i.id for i in intents.list({"created": {"gt": an_hour_ago}})] == [new.id]
    assert [i.id for i in intents.list({"created": {"lte": an_hour_ago}})] == [old.id]
    assert [i.id for i in intents.list({"created": {"lt": an_hour_ago}})] == []


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"starting_after": f"pi_{uuid.uuid4().hex}"}, {"colour": "red"}]
)
def test_a_list_refuses_what_it_does_not_know(shared_sandbox, params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shared_sandbox.client().v1.payment_intents.list(params)
    assert caught.value.http_status == 400
