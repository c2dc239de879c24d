"""Payments that settle later, lists while they grow, amounts that are special, and books of an earlier version."""

import sqlite3
from contextlib import closing

import pytest
import stripe

from orders.payments.sandbox.schema import FIRST
from tests.sandbox import Sandbox
from tests.waiting import eventually

LATER = [
    ("pm_card_settlesLater", "gbp", "succeeded", None),
    ("pm_card_declinesLater", "gbp", "requires_payment_method", "insufficient_funds"),
    ("pm_usBankAccount_success", "usd", "succeeded", None),
    ("pm_usBankAccount_insufficientFunds", "usd", "requires_payment_method", "insufficient_funds"),
    ("pm_bacsDebit_success", "gbp", "succeeded", None),
    ("pm_bacsDebit_insufficientFunds", "gbp", "requires_payment_method", "insufficient_funds"),
]
NEVER = [("pm_card_neverSettles", "gbp"), ("pm_usBankAccount_processing", "usd")]


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """What settles later does so when a test says so, for all of them."""
    sandbox = Sandbox(tmp_path_factory.mktemp("slow"))
    sandbox.start(settle_after=3600)
    yield sandbox
    sandbox.stop()


def buy(
    sandbox: Sandbox, card: str = "pm_card_visa", currency: str = "gbp", amount: int = 1000, **extra: object
):
    params = {"amount": amount, "currency": currency, "confirm": True, "payment_method": card, **extra}
    return sandbox.client().v1.payment_intents.create(params)


def settled(sandbox: Sandbox, reference: str) -> stripe.PaymentIntent:
    sandbox.settle_now()

    def look() -> stripe.PaymentIntent | None:
        intent = sandbox.client().v1.payment_intents.retrieve(reference)
        return None if intent.status == "processing" else intent

    return eventually(look, 15)


@pytest.mark.parametrize(("card", "currency", "status", "decline_code"), LATER)
def test_a_payment_may_be_answered_later(slow, card, currency, status, decline_code):
    begun = buy(slow, card, currency)
    assert (begun.status, begun.amount_received) == ("processing", 0)
    charge = slow.client().v1.charges.retrieve(begun.latest_charge)
    assert (charge.status, charge.paid, charge.outcome) == ("pending", False, None)
    ended = settled(slow, begun.id)
    assert ended.status == status
    assert ended.amount_received == (1000 if status == "succeeded" else 0)
    error = ended.last_payment_error
    assert (error.decline_code if error else None) == decline_code
    kinds = [kind for kind, subject in slow.events() if subject == begun.id]
    assert kinds[:2] == ["payment_intent.created", "payment_intent.processing"]
    outcome = "succeeded" if status == "succeeded" else "payment_failed"
    assert kinds[2:] == [f"payment_intent.{outcome}"]


@pytest.mark.parametrize(("card", "currency"), NEVER)
def test_a_payment_that_is_never_answered_can_be_cancelled(slow, card, currency):
    intents = slow.client().v1.payment_intents
    begun = buy(slow, card, currency)
    assert intents.cancel(begun.id).status == "canceled"
    charge = slow.client().v1.charges.retrieve(begun.latest_charge)
    assert (charge.status, charge.failure_code) == ("failed", "payment_intent_canceled")
    assert ("charge.failed", begun.latest_charge) in slow.events()
    assert slow.events()[-1] == ("payment_intent.canceled", begun.id)


def test_what_was_cancelled_in_time_is_not_captured_later(slow):
    begun = buy(slow, "pm_usBankAccount_success", "usd")
    slow.client().v1.payment_intents.cancel(begun.id)
    other = buy(slow, "pm_usBankAccount_success", "usd")
    assert settled(slow, other.id).status == "succeeded"
    assert settled(slow, begun.id).status == "canceled"
    assert slow.read_books("SELECT captured FROM charges WHERE intent = ?", begun.id) == [(0,)]


@pytest.mark.parametrize("card", ["pm_bacsDebit_success", "pm_card_settlesLater"])
def test_what_the_bank_has_begun_cannot_be_called_back(slow, card):
    begun = buy(slow, card)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        slow.client().v1.payment_intents.cancel(begun.id)
    assert (caught.value.code, caught.value.http_status) == ("payment_intent_unexpected_state", 400)
    assert settled(slow, begun.id).status == "succeeded"


def test_what_is_under_way_cannot_be_confirmed_or_refunded(slow):
    begun = buy(slow, "pm_card_neverSettles")
    with pytest.raises(stripe.InvalidRequestError, match="status of processing"):
        slow.client().v1.payment_intents.confirm(begun.id)
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        slow.client().v1.refunds.create({"payment_intent": begun.id})


def test_what_was_promised_is_done_after_a_kill(sandbox):
    sandbox.stop()
    sandbox.start(settle_after=3600)
    begun = buy(sandbox, "pm_card_settlesLater")
    sandbox.kill()
    sandbox.start()
    assert sandbox.client().v1.payment_intents.retrieve(begun.id).status == "processing"
    assert settled(sandbox, begun.id).status == "succeeded"


def test_only_cards_are_taken_where_only_cards_are_allowed(slow):
    with pytest.raises(stripe.InvalidRequestError, match="is not allowed for this PaymentIntent") as caught:
        buy(slow, "pm_bacsDebit_success", allowed_payment_method_types=["card"])
    assert caught.value.param == "payment_method"


def test_an_account_pays_in_its_own_currency_only(slow):
    with pytest.raises(stripe.InvalidRequestError, match="supports the following currencies: usd") as caught:
        buy(slow, "pm_usBankAccount_success", "gbp")
    assert caught.value.param == "currency"


SPECIAL = [
    ("kwd", 5120, None),
    ("kwd", 5124, "Amounts in kwd must be divisible by 10."),
    ("isk", 500, None),
    ("isk", 550, "Amounts in isk must be divisible by 100."),
    ("ugx", 300_000, None),
    ("ugx", 300_001, "Amounts in ugx must be divisible by 100."),
    ("jpy", 551, None),
]


@pytest.mark.parametrize(("currency", "amount", "refusal"), SPECIAL)
def test_amounts_follow_the_rules_of_their_currency(slow, currency, amount, refusal):
    if refusal is None:
        assert buy(slow, currency=currency, amount=amount).amount_received == amount
        return
    with pytest.raises(stripe.InvalidRequestError, match=refusal) as caught:
        buy(slow, currency=currency, amount=amount)
    assert (caught.value.param, caught.value.http_status) == ("amount", 400)


def test_a_part_that_goes_back_follows_them_too(slow):
    paid = buy(slow, currency="kwd", amount=5120)
    with pytest.raises(stripe.InvalidRequestError, match="divisible by 10"):
        slow.client().v1.refunds.create({"payment_intent": paid.id, "amount": 5})
    assert slow.client().v1.refunds.create({"payment_intent": paid.id, "amount": 10}).amount == 10


@pytest.mark.parametrize("collection", ["charges", "events", "payment_intents"])
def test_what_is_made_between_two_pages_moves_nothing(sandbox, collection):
    for _ in range(4):
        buy(sandbox)
    listing = getattr(sandbox.client().v1, collection)
    there = [each.id for each in listing.list({"limit": 100})]
    seen, page = [], listing.list({"limit": 3})
    while True:
        seen += [each.id for each in page.data]
        if not page.has_more:
            break
        buy(sandbox)
        page = listing.list({"limit": 3, "starting_after": seen[-1]})
    assert seen == there


def test_events_are_listed_of_one_type(sandbox):
    paid = [buy(sandbox).id for _ in range(2)]
    events = sandbox.client().v1.events.list({"type": "payment_intent.succeeded"})
    assert [event.data.object.id for event in events] == paid[::-1]


def test_books_of_the_first_version_are_served_on(tmp_path):
    sandbox = Sandbox(tmp_path)
    sandbox.start()
    old = buy(sandbox, metadata={"order": "old"})
    sandbox.stop()
    intents, charges = (
        sandbox.read_books("SELECT * FROM intents"),
        sandbox.read_books("SELECT * FROM charges"),
    )
    sandbox.books.unlink()
    with closing(sqlite3.connect(sandbox.books)) as books:
        books.executescript(FIRST)
        books.executemany("INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?)", intents)
        books.executemany("INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [row[:8] for row in charges])
        books.commit()
    sandbox.start()
    assert sandbox.client().v1.refunds.create({"payment_intent": old.id}).amount == 1000
    assert (sandbox.charges_of("old"), sandbox.refunds_of("old")) == ([(1000, "gbp")], [(1000, "gbp")])
    sandbox.stop()
