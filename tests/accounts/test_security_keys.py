import json
import re
from http import HTTPStatus

import pytest
from allauth.mfa.models import Authenticator
from django.http import HttpResponse
from django.test import Client

from tests.accounts.people import (
    AGAIN,
    PROVED_BY_KEY,
    SECOND_STEP,
    code,
    delivered,
    give_phone,
    is_signed_in,
    prove,
    sign_in,
)
from tests.accounts.security_key import SecurityKey
from tests.factories import make_user
from tests.pages.markup import Markup

KEYS, ADD = "/accounts/2fa/webauthn/", "/accounts/2fa/webauthn/add/"

PARTS = ["clientDataJSON", "authenticatorData", "signature", "attestationObject"]
RUBBISH = [
    "",
    "null",
    "{}",
    "[]",
    "7",
    "not json",
    '{"id": "x"}',
    '{"id": "eA", "rawId": "eA"}',
    '{"id": "eA", "rawId": "eA", "type": "public-key", "response": {}}',
    '{"id": "eA", "rawId": "eA", "type": "public-key", "response": "x"}',
    f'{{"id": "eA", "rawId": "eA", "type": "public-key", "response": {json.dumps(dict.fromkeys(PARTS, "eA"))}}}',
]


def options(page: HttpResponse) -> dict:
    """What the page asks the browser to ask the key."""
    (text,) = re.findall(
        r'<script id="security-key-options" type="application/json">(.*?)</script>', page.text
    )
    return json.loads(text)


def add(browser: Client, name: str = "blue one") -> SecurityKey:
    key = SecurityKey()
    answer = browser.post(ADD, {"name": name, "credential": key.create(options(browser.get(ADD)))})
    assert answer.status_code == HTTPStatus.FOUND
    return key


@pytest.fixture
def key(browser) -> SecurityKey:
    """Alice has it, and proved who she is when she added it."""
    prove(browser)
    return add(browser)


def second_step(client: Client, key: SecurityKey, **how: str):
    sign_in(client, "alice", next="/cart/")
    return client.post(SECOND_STEP, {"credential": key.get(options(client.get(SECOND_STEP)), **how)})


def test_a_key_is_added_with_recovery_codes_and_then_asked_for(browser, alice):
    assert browser.get(ADD)["Location"].startswith(AGAIN)
    prove(browser)

    key = add(browser)

    assert sorted(Authenticator.objects.values_list("type", flat=True)) == ["recovery_codes", "webauthn"]
    assert delivered()[-1].subject == "A security key was added"
    assert "blue one" in browser.get(KEYS).text
    visitor = Client()
    assert second_step(visitor, key)["Location"] == "/cart/"
    assert is_signed_in(visitor)


def test_a_page_of_somebody_elses_gets_nothing_that_signs_in_here(client, alice, key):
    page = second_step(client, key, origin="https://evil.example")

    assert "This code is not right" in page.text
    assert not is_signed_in(client)


def test_a_key_of_somebody_else_does_not_open_it(client, alice, key):
    assert "This code is not right" in second_step(client, SecurityKey()).text
    assert not is_signed_in(client)


def test_an_answer_serves_once(client, alice, key):
    sign_in(client, "alice")
    answer = key.get(options(client.get(SECOND_STEP)))
    client.post(SECOND_STEP, {"credential": answer})

    thief = Client()
    sign_in(thief, "alice")
    thief.get(SECOND_STEP)
    assert "This code is not right" in thief.post(SECOND_STEP, {"credential": answer}).text
    assert not is_signed_in(thief)


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_opens_nothing_and_breaks_nothing(client, alice, key, rubbish):
    sign_in(client, "alice")

    page = client.post(SECOND_STEP, {"credential": rubbish})

    assert page.status_code == HTTPStatus.OK
    assert Markup(page.text).faults == []
    assert not is_signed_in(client)


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_is_no_key(browser, alice, rubbish):
    prove(browser)
    browser.get(ADD)

    page = browser.post(ADD, {"name": "mine", "credential": rubbish})

    assert page.status_code == HTTPStatus.OK
    assert Markup(page.text).faults == []
    assert Authenticator.objects.count() == 0


def test_knowing_what_a_key_is_called_is_not_having_it(client, alice, key):
    forged = SecurityKey()
    forged.id = key.id

    assert "This code is not right" in second_step(client, forged).text
    assert not is_signed_in(client)


def test_guessing_is_answered_as_everywhere(client, alice, key):
    sign_in(client, "alice")
    page = client.get(SECOND_STEP)
    for _ in range(10):
        client.post(SECOND_STEP, {"credential": SecurityKey().get(options(page))})

    answer = client.post(SECOND_STEP, {"credential": SecurityKey().get(options(page))})
    assert (answer.status_code, answer["Retry-After"]) == (HTTPStatus.TOO_MANY_REQUESTS, "300")


def test_a_key_proves_who_one_is(browser, alice, key, client):
    client.force_login(alice)
    page = client.get(PROVED_BY_KEY)

    answer = client.post(PROVED_BY_KEY, {"credential": key.get(options(page)), "next": ADD})

    assert answer["Location"] == ADD
    assert client.get(ADD).status_code == HTTPStatus.OK


def test_a_key_is_renamed_and_removed_after_a_question(browser, alice, key):
    pk = Authenticator.objects.get(type="webauthn").pk
    browser.post(f"{KEYS}keys/{pk}/edit/", {"name": "red one"})
    assert "red one" in browser.get(KEYS).text

    assert "Remove “red one”?" in browser.get(f"{KEYS}keys/{pk}/remove/").text
    assert Authenticator.objects.filter(pk=pk).exists()

    browser.post(f"{KEYS}keys/{pk}/remove/")
    assert Authenticator.objects.count() == 0  # its recovery codes go with the last second step
    assert delivered()[-1].subject == "A security key was removed"


@pytest.mark.parametrize("what", ["edit", "remove"])
def test_nobody_touches_the_key_of_somebody_else(browser, alice, key, client, what):
    client.force_login(make_user("bob"))
    prove(client)
    pk = Authenticator.objects.get(type="webauthn").pk

    for method in (client.get, client.post):
        assert method(f"{KEYS}keys/{pk}/{what}/", {"name": "mine"}).status_code == HTTPStatus.NOT_FOUND
    assert Authenticator.objects.get(pk=pk).wrap().name == "blue one"


def test_who_has_both_may_use_either(client, alice, key):
    secret = give_phone(alice)
    sign_in(client, "alice")

    page = client.get(SECOND_STEP).text
    assert "Use your security key" in page
    assert 'name="code"' in page
    assert client.post(SECOND_STEP, {"code": code(secret)})["Location"] == "/"


def test_who_has_no_key_is_not_asked_for_one(client, alice):
    give_phone(alice)
    sign_in(client, "alice")

    page = client.get(SECOND_STEP).text
    assert "security key" not in page
    assert "security-key.js" not in page


def test_the_pages_are_clean_and_say_what_is_missing_without_javascript(browser, alice, key, client):
    pk = Authenticator.objects.get(type="webauthn").pk
    sign_in(client, "alice")
    own = [browser.get(path) for path in (ADD, KEYS, f"{KEYS}keys/{pk}/edit/", f"{KEYS}keys/{pk}/remove/")]
    asking = [own[0], browser.get(PROVED_BY_KEY), client.get(SECOND_STEP)]

    for page in [*own, *asking]:
        assert Markup(page.text).faults == []
    for page in asking:
        assert re.search(r'<form [^>]*data-security-key="\w+" hidden>', page.text)
        assert "data-no-security-key>" in page.text
