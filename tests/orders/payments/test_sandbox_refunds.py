import json

import pytest
import stripe

from tests.sandbox import Sandbox
from tests.waiting import eventually


def buy(sandbox: Sandbox, card: str = "pm_card_visa", **extra: object) -> stripe.PaymentIntent:
    params = {"amount": 1000, "currency": "gbp", "confirm": True, "payment_method": card, **extra}
    return sandbox.client().v1.payment_intents.create(params)


def refund(sandbox: Sandbox, key: str = "", **params: object) -> stripe.Refund:
    return sandbox.client().v1.refunds.create(params, {"idempotency_key": key} if key else {})


def charge_of(sandbox: Sandbox, intent: stripe.PaymentIntent) -> stripe.Charge:
    return sandbox.client().v1.charges.retrieve(intent.latest_charge)


def wait_for_status(sandbox: Sandbox, reference: str, status: str) -> stripe.Refund:
    sandbox.settle_now()

    def look() -> stripe.Refund | None:
        refund = sandbox.client().v1.refunds.retrieve(reference)
        return refund if refund.status == status else None

    return eventually(look, 15, why=f"{reference} does not become {status}")


def test_without_an_amount_everything_goes_back(shared_sandbox):
    intent = buy(shared_sandbox, metadata={"order": "whole"})
    made = refund(shared_sandbox, payment_intent=intent.id)
    assert (made.amount, made.currency, made.status, made.charge) == (
        1000,
        "gbp",
        "succeeded",
        intent.latest_charge,
    )
    charge = charge_of(shared_sandbox, intent)
    assert (charge.amount_refunded, charge.refunded, charge.status) == (1000, True, "succeeded")
    assert shared_sandbox.refunds_of("whole") == [(1000, "gbp")]


def test_parts_go_back_until_nothing_is_left(shared_sandbox):
    intent = buy(shared_sandbox)
    first = refund(
        shared_sandbox,
        charge=intent.latest_charge,
        amount=300,
        reason="requested_by_customer",
        metadata={"refund": "7"},
    )
    assert (first.payment_intent, first.reason, first.metadata.to_dict()) == (
        intent.id,
        "requested_by_customer",
        {"refund": "7"},
    )
    assert charge_of(shared_sandbox, intent).amount_refunded == 300
    assert charge_of(shared_sandbox, intent).refunded is False
    assert refund(shared_sandbox, payment_intent=intent.id).amount == 700
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(shared_sandbox, payment_intent=intent.id, amount=1)
    assert (caught.value.http_status, caught.value.code) == (400, "charge_already_refunded")
    assert caught.value.user_message == f"Charge {intent.latest_charge} has already been refunded."


def test_more_than_is_left_is_refused_and_nothing_goes_back(shared_sandbox):
    intent = buy(shared_sandbox)
    refund(shared_sandbox, payment_intent=intent.id, amount=400)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(shared_sandbox, payment_intent=intent.id, amount=601)
    assert json.loads(caught.value.http_body) == {
        "error": {
            "type": "invalid_request_error",
            "message": "Refund amount (£6.01) is greater than unrefunded amount on charge (£6.00)",
            "param": "amount",
        }
    }
    assert charge_of(shared_sandbox, intent).amount_refunded == 400


def test_the_books_themselves_refuse_to_give_back_more_than_was_captured(sandbox):
    intent = buy(sandbox)
    with pytest.raises(Exception, match="CHECK constraint failed"):
        sandbox.write_books("UPDATE charges SET refunded = 1001 WHERE intent = ?", intent.id)
    sandbox.write_books("UPDATE charges SET refunded = 1000 WHERE intent = ?", intent.id)


def test_the_same_key_gives_back_once(shared_sandbox):
    intent = buy(shared_sandbox)
    first, second = (
        refund(shared_sandbox, f"refund-{intent.id}", payment_intent=intent.id, amount=400) for _ in range(2)
    )
    assert first.to_dict() == second.to_dict()
    assert charge_of(shared_sandbox, intent).amount_refunded == 400


REFUSED = [
    ({"payment_intent": "pi_nothing"}, 404, "payment_intent", "No such payment_intent: 'pi_nothing'"),
    ({"charge": "ch_nothing"}, 404, "charge", "No such charge: 'ch_nothing'"),
    ({}, 400, None, "payment_intent or charge"),
    ({"payment_intent": "PAID", "reason": "whim"}, 400, "reason", "Invalid reason"),
    ({"payment_intent": "PAID", "amount": "1.5"}, 400, "amount", "Invalid integer: 1.5"),
    ({"payment_intent": "PAID", "amount": 0}, 400, "amount", "greater than or equal to 1"),
    ({"payment_intent": "PAID", "colour": "red"}, 400, "colour", "unknown parameter"),
]


@pytest.mark.parametrize(("params", "status", "param", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_and_nothing_goes_back(shared_sandbox, params, status, param, message):
    intent = buy(shared_sandbox)
    params = {name: intent.id if value == "PAID" else value for name, value in params.items()}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refund(shared_sandbox, **params)
    assert (caught.value.http_status, caught.value.param) == (status, param)
    assert message in caught.value.user_message
    assert shared_sandbox.read_books("SELECT * FROM refunds WHERE payment_intent = ?", intent.id) == []


def test_what_was_not_captured_cannot_go_back(shared_sandbox):
    intents = shared_sandbox.client().v1.payment_intents
    unpaid = intents.create({"amount": 500, "currency": "eur", "payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge to refund"):
        refund(shared_sandbox, payment_intent=unpaid.id)
    with pytest.raises(stripe.CardError) as declined:
        buy(shared_sandbox, "pm_card_chargeDeclined")
    with pytest.raises(stripe.InvalidRequestError, match="has not succeeded"):
        refund(shared_sandbox, charge=declined.value.error.charge)


def test_a_refund_may_be_pending_and_succeed_later(sandbox):
    sandbox.stop()
    sandbox.start(settle_after=3600)
    intent = buy(sandbox, "pm_card_pendingRefund")
    made = refund(sandbox, payment_intent=intent.id)
    assert (made.status, made.pending_reason, made.balance_transaction) == ("pending", "processing", None)
    assert charge_of(sandbox, intent).amount_refunded == 1000
    assert wait_for_status(sandbox, made.id, "succeeded").balance_transaction is not None
    assert [kind for kind, subject in sandbox.events() if subject == made.id] == [
        "refund.created",
        "refund.updated",
    ]


def test_a_refund_may_seem_to_succeed_and_fail_later_and_then_be_made_again(sandbox):
    sandbox.stop()
    sandbox.start(settle_after=3600)
    intent = buy(sandbox, "pm_card_refundFail", metadata={"order": "again"})
    made = refund(sandbox, payment_intent=intent.id)
    assert made.status == "succeeded"
    assert wait_for_status(sandbox, made.id, "failed").failure_reason == "expired_or_canceled_card"
    assert charge_of(sandbox, intent).amount_refunded == 0
    assert sandbox.refunds_of("again") == []
    assert [kind for kind, subject in sandbox.events() if subject == made.id] == [
        "refund.created",
        "refund.updated",
        "refund.failed",
    ]
    assert refund(sandbox, payment_intent=intent.id).amount == 1000


def test_refunds_are_listed_of_a_payment_of_a_charge_and_by_when_they_were_made(sandbox):
    one, other = buy(sandbox), buy(sandbox)
    old, new = (refund(sandbox, payment_intent=one.id, amount=100).id for _ in range(2))
    of_other = refund(sandbox, payment_intent=other.id).id
    refunds = sandbox.client().v1.refunds
    assert [r.id for r in refunds.list()] == [of_other, new, old]
    assert [r.id for r in refunds.list({"payment_intent": one.id})] == [new, old]
    assert [r.id for r in refunds.list({"charge": other.latest_charge})] == [of_other]
    assert [r.id for r in refunds.list({"limit": 1, "payment_intent": one.id}).auto_paging_iter()] == [
        new,
        old,
    ]
    sandbox.write_books("UPDATE refunds SET created = 1000 WHERE id = ?", old)
    assert [r.id for r in refunds.list({"created": {"lte": 1000}})] == [old]
    assert [r.id for r in refunds.list({"created": 1000})] == [old]
    assert [r.id for r in refunds.list({"created": {"gt": 1000}})] == [of_other, new]
