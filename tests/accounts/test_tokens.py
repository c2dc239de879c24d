import re
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from proj.accounts.purges import EXPIRED_TOKENS_KEPT, purge_tokens
from proj.accounts.token_form import MAX_TOKENS
from proj.api.models import LAST_USE_WITHIN, Token
from tests.accounts.people import AGAIN, prove
from tests.factories import PASSWORD, make_user
from tests.pages.markup import Markup

TOKENS = "/accounts/tokens/"
FORM = {"name": "till 3", "days": "90"}


def make(browser: Client, **changes: str) -> str:
    """Create a token on the page and return its text."""
    page = browser.post(TOKENS, FORM | changes).text
    (text,) = re.findall(r"shop_[\w-]{43}", page)
    return text


def status(text: str) -> int:
    return Client().get("/api/v1/orders", headers={"Authorization": f"Bearer {text}"}).status_code


def test_a_token_is_shown_once_and_opens_the_api(browser, alice):
    prove(browser)

    text = make(browser)

    assert status(text) == HTTPStatus.OK
    page = browser.get(TOKENS).text
    assert "till 3" in page
    assert text not in page
    assert text not in str(Token.objects.values())


def test_a_token_belongs_to_who_made_it(browser, alice):
    prove(browser)
    make(browser)

    token = Token.objects.get()
    assert (token.user, token.name) == (alice, "till 3")


def test_an_open_browser_is_not_enough_and_the_form_goes_on_after_the_password(browser, alice):
    answer = browser.post(TOKENS, FORM)

    assert answer["Location"] == f"{AGAIN}?next=%2Faccounts%2Ftokens%2F"
    assert Token.objects.count() == 0
    assert "Is it you?" in browser.get(answer["Location"]).text

    page = browser.post(AGAIN, {"password": PASSWORD, "next": TOKENS}).text
    assert len(re.findall(r"shop_[\w-]{43}", page)) == 1
    assert Token.objects.get().name == "till 3"


def test_the_page_with_a_token_is_kept_by_nobody(browser, alice):
    prove(browser)

    assert "no-store" in browser.post(TOKENS, FORM)["Cache-Control"]


def test_a_revoked_token_is_refused_from_the_next_call_on(browser, alice):
    prove(browser)
    text, other = make(browser), make(browser, name="till 4")
    path = f"{TOKENS}{Token.objects.get(name='till 3').pk}/revoke/"

    assert "Revoke “till 3”?" in browser.get(path).text
    assert status(text) == HTTPStatus.OK

    page = browser.post(path, follow=True)
    assert "“till 3” is revoked." in page.text
    assert status(text) == HTTPStatus.UNAUTHORIZED
    assert status(other) == HTTPStatus.OK


def test_nobody_sees_or_revokes_the_token_of_somebody_else(browser, alice):
    theirs, text = Token.issue(make_user("bob"), "bob's own")
    path = f"{TOKENS}{theirs.pk}/revoke/"

    assert "bob" not in browser.get(TOKENS).text
    assert browser.get(path).status_code == browser.post(path).status_code == HTTPStatus.NOT_FOUND
    assert status(text) == HTTPStatus.OK


def test_a_token_ends_when_its_time_is_over(browser, alice):
    prove(browser)
    text, endless = make(browser, days="30"), make(browser, name="for good", days="")

    with time_machine.travel(timezone.now() + timedelta(days=29, hours=23)):
        assert status(text) == HTTPStatus.OK
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
        assert status(text) == HTTPStatus.UNAUTHORIZED
        assert status(endless) == HTTPStatus.OK


def test_an_expired_token_is_said_to_be_and_goes_a_month_later(browser, alice):
    Token.issue(alice, "old", lifetime=timedelta(days=-1))
    endless, _ = Token.issue(alice, "for good")

    assert "Expired" in browser.get(TOKENS).text
    assert purge_tokens(10, timezone.now()) == 0
    assert purge_tokens(10, timezone.now() + EXPIRED_TOKENS_KEPT) == 1
    assert list(Token.objects.all()) == [endless]


def test_the_last_use_is_known_to_some_minutes_and_costs_one_query(browser, alice, django_assert_num_queries):
    _, text = Token.issue(alice, "till 3")
    assert "Never" in browser.get(TOKENS).text

    assert status(text) == HTTPStatus.OK
    used = Token.objects.get().last_used_at
    assert used is not None
    with django_assert_num_queries(1):
        Token.find(text)
    with time_machine.travel(used + LAST_USE_WITHIN + timedelta(seconds=1)):
        Token.find(text)

    assert Token.objects.get().last_used_at > used


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 61}, "Ensure this value has at most 60 characters"),
        ({"days": "100000"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_is_said_and_makes_no_token(browser, alice, fields, words):
    prove(browser)

    page = browser.post(TOKENS, FORM | fields).text

    assert words in page
    assert Markup(page).faults == []
    assert Token.objects.count() == 0


def test_nobody_makes_tokens_without_end(browser, alice):
    Token.objects.bulk_create(Token(user=alice, digest=str(number)) for number in range(MAX_TOKENS))
    prove(browser)

    assert f"You have {MAX_TOKENS} tokens." in browser.post(TOKENS, FORM).text
    assert Token.objects.count() == MAX_TOKENS


def test_the_name_of_a_token_is_only_ever_text(browser, alice):
    prove(browser)
    name = '"><script>alert(1)</script>'
    made = browser.post(TOKENS, FORM | {"name": name}).text
    pages = [made, browser.get(TOKENS).text, browser.get(f"{TOKENS}{Token.objects.get().pk}/revoke/").text]

    for page in pages:
        assert Markup(page).faults == []
        assert "<script>alert" not in page
