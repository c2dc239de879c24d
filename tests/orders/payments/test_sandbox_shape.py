"""The sandbox's objects against Stripe's: recorded ones, and what the official client declares."""

import json
import typing

import pytest
import stripe

# The fields of a payment intent recorded from Stripe (dj-stripe's fixtures, MIT), less two that newer versions of
# Stripe's API no longer send: charges (since 2022-11-15, see latest_charge) and invoice (since 2025-03-31).
RECORDED = [
    "amount",
    "amount_capturable",
    "amount_received",
    "application",
    "application_fee_amount",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "customer",
    "description",
    "id",
    "last_payment_error",
    "livemode",
    "metadata",
    "next_action",
    "object",
    "on_behalf_of",
    "payment_method",
    "payment_method_options",
    "payment_method_types",
    "receipt_email",
    "review",
    "setup_future_usage",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "status",
    "transfer_data",
    "transfer_group",
]
# And those that the recorded one is too old to have, from Stripe's own OpenAPI fixtures (MIT) and change log.
SINCE = [
    "allowed_payment_method_types",
    "amount_details",
    "automatic_payment_methods",
    "customer_account",
    "excluded_payment_method_types",
    "latest_charge",
    "managed_payments",
    "payment_method_configuration_details",
    "processing",
]
PURCHASE = {"amount": 1234, "currency": "gbp", "confirm": True, "metadata": {"order": "7"}}


@pytest.fixture
def paid(shared_sandbox) -> stripe.PaymentIntent:
    return shared_sandbox.client().v1.payment_intents.create({**PURCHASE, "payment_method": "pm_card_visa"})


@pytest.fixture
def declined(shared_sandbox) -> stripe.CardError:
    with pytest.raises(stripe.CardError) as caught:
        shared_sandbox.client().v1.payment_intents.create(
            {**PURCHASE, "payment_method": "pm_card_chargeDeclined"}
        )
    return caught.value


def test_an_intent_has_exactly_the_fields_of_a_recorded_one(paid):
    assert sorted(paid.to_dict()) == sorted(RECORDED + SINCE)


def test_an_intent_has_no_field_that_the_official_client_does_not_know(paid):
    assert set(paid.to_dict()) <= set(stripe.PaymentIntent.__annotations__)


def test_every_field_has_a_type_that_the_official_client_declares(paid):
    fields = stripe.PaymentIntent.__annotations__
    for name in ("amount", "amount_capturable", "amount_received", "created", "currency", "id", "livemode"):
        assert type(paid[name]) is fields[name]
    allowed = typing.get_args(typing.get_args(fields["status"])[0])
    assert paid.status in allowed
    assert paid.capture_method in typing.get_args(typing.get_args(fields["capture_method"])[0])


def test_the_error_of_a_declined_card_has_the_fields_of_stripe(declined):
    error = json.loads(declined.http_body)["error"]
    assert sorted(error) == [
        "charge",
        "code",
        "decline_code",
        "doc_url",
        "message",
        "payment_intent",
        "payment_method",
        "payment_method_type",
        "type",
    ]
    assert set(error) <= set(stripe.ErrorObject.__annotations__)
    assert (error["type"], error["doc_url"]) == (
        "card_error",
        "https://stripe.com/docs/error-codes/card-declined",
    )
    assert sorted(error["payment_intent"]) == sorted(RECORDED + SINCE)
    last = error["payment_intent"]["last_payment_error"]
    assert last == {name: value for name, value in error.items() if name != "payment_intent"}


def test_the_payment_method_in_an_error_has_the_fields_that_the_official_client_declares(declined):
    method = declined.error.payment_method
    assert set(method.to_dict()) <= set(stripe.PaymentMethod.__annotations__)
    assert set(method.card.to_dict()) <= set(stripe.PaymentMethod.Card.__annotations__)
    assert (method.type, method.card.brand, method.card.last4) == ("card", "visa", "0002")
