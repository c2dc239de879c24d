"""Who may tell us something: nobody but the provider, lately, in so many words."""

import json
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.payments.models import WebhookEvent
from tests.orders.payments.signed import SECRET, assert_nothing_is_stored, event, send, sign

pytestmark = pytest.mark.django_db

OLD = "whsec_old"


@pytest.fixture(autouse=True)
def _secret(settings, waiting) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture
def body() -> str:
    return json.dumps(event("payment_intent.succeeded", "pi_1"))


def altered(header: str) -> str:
    """The header with the last digit of its signature changed."""
    return header[:-1] + ("0" if header[-1] != "0" else "1")


HEADERS = {
    "no header": lambda body: None,
    "an empty header": lambda body: "",
    "nonsense": lambda body: "nonsense",
    "five minutes and a second ago": lambda body: sign(body, age=301),
    "a time without a signature": lambda body: sign(body).partition(",")[0],
    "a signature without a time": lambda body: sign(body).partition(",")[2],
    "another scheme": lambda body: sign(body).replace("v1=", "v0="),
    "a time that is no number": lambda body: "t=now," + sign(body).partition(",")[2],
    "a time that is too long a number": lambda body: f"t={'9' * 5000}," + sign(body).partition(",")[2],
    "another time": lambda body: f"t={int(time.time()) - 1}," + sign(body).partition(",")[2],
    "a wrong secret": lambda body: sign(body, secret="whsec_wrong"),
    "an altered signature": lambda body: altered(sign(body)),
    "several signatures of which none is right": lambda body: ",".join([altered(sign(body)), "v1=0", "v1="]),
    "a signature that is not ASCII": lambda body: sign(body).partition(",")[0] + ",v1=é",
    "another body's": lambda body: sign(body + " "),
}


@pytest.mark.parametrize("case", sorted(HEADERS))
def test_what_is_not_signed_is_refused_and_writes_nothing(client, body, case):
    with CaptureQueriesContext(connection) as queries:
        answer = send(client, body, HEADERS[case](body))
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_signature"
    assert len(queries) == 0
    assert_nothing_is_stored()


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_body_altered_by_one_byte_is_refused(client, body, place):
    changed = bytearray(body.encode())
    changed[place] ^= 1
    assert send(client, bytes(changed), sign(body)).status_code == 400
    assert_nothing_is_stored()


def test_a_body_that_is_not_text_is_refused(client, body):
    assert send(client, b"\xff\xfe" + body.encode(), sign(body)).status_code == 400
    assert_nothing_is_stored()


def test_of_several_signatures_one_that_is_right_is_enough(client, body):
    moment, _, mark = sign(body).partition(",")
    header = ",".join([moment, altered(mark), "v0=ffff", mark, "v1=0"])
    assert send(client, body, header).status_code == 200


def test_a_signature_is_good_for_five_minutes(client, body):
    assert send(client, body, sign(body, age=290)).status_code == 200


def test_both_secrets_are_good_while_one_is_being_replaced(client, settings):
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new", OLD]
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        body = json.dumps(event("payment_intent.succeeded", f"pi_{secret}"))
        assert send(client, body, sign(body, secret=secret)).status_code == 200
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_new"]
    body = json.dumps(event("payment_intent.succeeded", "pi_late"))
    assert send(client, body, sign(body, secret=OLD)).status_code == 400
    assert WebhookEvent.objects.count() == 2


@pytest.mark.parametrize("secrets", [[], [""], ["  "]])
def test_without_a_secret_nothing_is_believed(client, body, settings, secrets):
    settings.STRIPE_WEBHOOK_SECRETS = secrets
    for secret in ("", " ", "  ", SECRET):
        assert send(client, body, sign(body, secret=secret)).status_code == 400
    assert_nothing_is_stored()


MALFORMED = {
    "no JSON": "{",
    "a list": "[]",
    "a number": "7",
    "no id": json.dumps({"type": "payment_intent.succeeded"}),
    "an id that is a number": json.dumps({**event("a", "b"), "id": 7}),
    "an empty id": json.dumps({**event("a", "b"), "id": ""}),
    "an id that is too long": json.dumps({**event("a", "b"), "id": "e" * 256}),
    "a kind that is too long": json.dumps({**event("a", "b"), "type": "k" * 101}),
    "no object": json.dumps({**event("a", "b"), "data": {}}),
    "an object that is a text": json.dumps({**event("a", "b"), "data": {"object": "pi_1"}}),
    "no time": json.dumps({**event("a", "b"), "created": None}),
    "a time in the year 300,000": json.dumps({**event("a", "b"), "created": 10**13}),
    "a zero byte": json.dumps(event("payment_intent.succeeded", "b", metadata={"x": "\0"})),
    "half a character": json.dumps(event("payment_intent.succeeded", "b", metadata={"x": "\ud800"})),
    "not a number": json.dumps(event("payment_intent.succeeded", "b", amount=float("nan"))),
    "too deep": "[" * 100_000,
}


@pytest.mark.parametrize("case", sorted(MALFORMED))
def test_what_is_signed_but_no_event_is_refused(client, case):
    body = MALFORMED[case]
    answer = send(client, body, sign(body))
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"
    assert_nothing_is_stored()
