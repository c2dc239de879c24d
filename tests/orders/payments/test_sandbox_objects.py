"""The sandbox's charges, refunds and events against Stripe's: recorded ones, and what the official client declares."""

import typing

import pytest
import stripe

# The fields of a charge recorded from Stripe (dj-stripe's fixtures, MIT), less five that newer versions of Stripe's
# API no longer send: destination, dispute, invoice, order, and refunds, which is there when it is expanded.
CHARGE = [
    "amount",
    "amount_captured",
    "amount_refunded",
    "application",
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "billing_details",
    "calculated_statement_descriptor",
    "captured",
    "created",
    "currency",
    "customer",
    "description",
    "disputed",
    "failure_code",
    "failure_message",
    "fraud_details",
    "id",
    "livemode",
    "metadata",
    "object",
    "on_behalf_of",
    "outcome",
    "paid",
    "payment_intent",
    "payment_method",
    "payment_method_details",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "refunded",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "status",
    "transfer_data",
    "transfer_group",
]
# And those that the recorded one is too old to have, from Stripe's own OpenAPI fixtures (MIT).
CHARGE_SINCE = ["failure_balance_transaction"]
OUTCOME = ["network_status", "reason", "risk_level", "risk_score", "seller_message", "type"]
OUTCOME_SINCE = ["advice_code", "network_advice_code", "network_decline_code"]
CHARGED_CARD = [
    "brand",
    "checks",
    "country",
    "exp_month",
    "exp_year",
    "fingerprint",
    "funding",
    "installments",
    "last4",
    "network",
    "three_d_secure",
    "wallet",
]
CHARGED_CARD_SINCE = [
    "amount_authorized",
    "authorization_code",
    "extended_authorization",
    "incremental_authorization",
    "mandate",
    "multicapture",
    "network_token",
    "network_transaction_id",
    "overcapture",
    "regulated_status",
    "transaction_link_id",
]
# From Stripe's own OpenAPI fixtures (MIT).
REFUND = [
    "amount",
    "balance_transaction",
    "charge",
    "created",
    "currency",
    "customer",
    "customer_account",
    "destination_details",
    "id",
    "metadata",
    "object",
    "payment_intent",
    "payment_method",
    "reason",
    "receipt_number",
    "source_transfer_reversal",
    "status",
    "transfer_reversal",
]
EVENT = ["api_version", "created", "data", "id", "livemode", "object", "pending_webhooks", "request", "type"]


def types_of(resource: type) -> set[str]:
    return set(resource.__annotations__)


@pytest.fixture
def client(shared_sandbox) -> stripe.StripeClient:
    return shared_sandbox.client()


@pytest.fixture
def paid(client) -> stripe.PaymentIntent:
    params = {"amount": 1234, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}
    return client.v1.payment_intents.create({**params, "description": "Seven", "metadata": {"order": "7"}})


def test_a_charge_has_exactly_the_fields_of_a_recorded_one(client, paid):
    charge = client.v1.charges.retrieve(paid.latest_charge)
    assert sorted(charge.to_dict()) == sorted(CHARGE + CHARGE_SINCE)
    assert sorted(charge.outcome.to_dict()) == sorted(OUTCOME + OUTCOME_SINCE)
    card = charge.payment_method_details.card.to_dict()
    assert sorted(card) == sorted(CHARGED_CARD + CHARGED_CARD_SINCE)
    assert set(charge.to_dict()) <= types_of(stripe.Charge)
    assert set(card) <= types_of(stripe.Charge.PaymentMethodDetails.Card)
    assert charge.status in typing.get_args(typing.get_args(stripe.Charge.__annotations__["status"])[0])


def test_a_charge_says_what_was_charged(client, paid):
    charge = client.v1.charges.retrieve(paid.latest_charge)
    assert (charge.amount, charge.amount_captured, charge.amount_refunded) == (1234, 1234, 0)
    assert (charge.paid, charge.captured, charge.refunded, charge.status) == (True, True, False, "succeeded")
    assert (charge.payment_intent, charge.description, charge.metadata["order"]) == (paid.id, "Seven", "7")
    assert (charge.payment_method_details.card.last4, charge.outcome.type) == ("4242", "authorized")


def test_a_declined_charge_says_why(client):
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.create(
            {"amount": 1234, "currency": "gbp", "confirm": True, "payment_method": "pm_card_chargeDeclined"}
        )
    charge = client.v1.charges.retrieve(caught.value.error.charge)
    assert (charge.status, charge.paid, charge.amount_captured) == ("failed", False, 0)
    assert (charge.failure_code, charge.failure_message) == ("card_declined", "Your card was declined.")
    assert (charge.outcome.type, charge.outcome.reason) == ("issuer_declined", "generic_decline")


def test_a_refund_has_exactly_the_fields_of_stripe(client, paid):
    refund = client.v1.refunds.create({"payment_intent": paid.id, "amount": 34, "reason": "duplicate"})
    assert sorted(refund.to_dict()) == sorted(REFUND)
    assert set(refund.to_dict()) <= types_of(stripe.Refund)
    assert client.v1.refunds.retrieve(refund.id).to_dict() == refund.to_dict()


def test_an_event_has_exactly_the_fields_of_stripe(client, paid):
    event = client.v1.events.list({"type": "payment_intent.succeeded", "limit": 1}).data[0]
    assert sorted(event.to_dict()) == sorted(EVENT)
    assert set(event.to_dict()) <= types_of(stripe.Event)
    assert event.data.object.to_dict() == paid.to_dict()
    assert (event.request.id, event.pending_webhooks) == (paid.last_response.request_id, 0)


def test_every_type_of_event_is_one_that_the_official_client_knows(shared_sandbox, client, paid):
    client.v1.refunds.create({"payment_intent": paid.id})
    known = typing.get_args(stripe.Event.__annotations__["type"])
    assert {kind for kind, _ in shared_sandbox.events()} <= set(known)


@pytest.mark.parametrize("collection", ["charges", "events", "refunds"])
def test_what_does_not_exist_is_resource_missing(client, collection):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        getattr(client.v1, collection).retrieve("xx_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert caught.value.user_message == f"No such {collection[:-1]}: 'xx_nothing'"


def test_a_reference_can_be_expanded(client, paid):
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 34})
    intent = client.v1.payment_intents.retrieve(paid.id, {"expand": ["latest_charge.refunds"]})
    assert (intent.latest_charge.id, intent.latest_charge.amount_refunded) == (paid.latest_charge, 34)
    assert [refund.amount for refund in intent.latest_charge.refunds] == [34]
    refund = client.v1.refunds.list({"payment_intent": paid.id, "expand": ["data.payment_intent"]}).data[0]
    assert refund.payment_intent.to_dict() == paid.to_dict()


def test_what_is_no_reference_cannot_be_expanded(client, paid):
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.payment_intents.retrieve(paid.id, {"expand": ["amount"]})


def test_charges_are_listed_of_one_payment(client, paid):
    assert [c.id for c in client.v1.charges.list({"payment_intent": paid.id})] == [paid.latest_charge]
