"""What holds for every page of accounts: who may see it, its markup, its headers, its weight, its queries."""

import gzip
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from proj.api.models import Token
from tests.accounts.people import LOGIN, confirmed, give_key, give_phone, prove
from tests.factories import make_user
from tests.pages.markup import Markup

OK, MOVED, MISSING = HTTPStatus.OK, HTTPStatus.FOUND, HTTPStatus.NOT_FOUND

#: What anonymous people get (None: they are asked to sign in), what alice gets, and in how many queries. Alice has
#: confirmed her address, has an app, a security key, recovery codes and 20 tokens, and has proved who she is just now.
PAGES: dict[str, tuple[int | None, int, int]] = {
    "account_login": (OK, MOVED, 2),
    "account_logout": (MOVED, OK, 4),
    "account_signup": (OK, MOVED, 2),
    "account_inactive": (OK, OK, 4),
    "account_reauthenticate": (None, OK, 10),
    "account_email": (None, OK, 8),
    "account_email_verification_sent": (OK, OK, 4),
    "account_confirm_email": (OK, OK, 4),
    "account_change_password": (None, OK, 4),
    "account_set_password": (None, MOVED, 2),
    "account_reset_password": (OK, OK, 4),
    "account_reset_password_done": (OK, OK, 4),
    "account_reset_password_from_key": (OK, OK, 5),
    "account_reset_password_from_key_done": (OK, OK, 4),
    "account_confirm_login_code": (MOVED, MOVED, 2),
    "mfa_index": (None, OK, 6),
    "mfa_authenticate": (MOVED, MOVED, 2),
    "mfa_reauthenticate": (None, OK, 10),
    "mfa_activate_totp": (None, MOVED, 7),
    "mfa_deactivate_totp": (None, OK, 9),
    "mfa_view_recovery_codes": (None, OK, 9),
    "mfa_generate_recovery_codes": (None, OK, 8),
    "mfa_download_recovery_codes": (None, OK, 7),
    "mfa_list_webauthn": (None, OK, 5),
    "mfa_add_webauthn": (None, OK, 13),
    "mfa_edit_webauthn": (None, OK, 8),
    "mfa_remove_webauthn": (None, OK, 8),
    "mfa_reauthenticate_webauthn": (None, OK, 14),
    "accounts:overview": (None, OK, 7),
    "accounts:tokens": (None, OK, 5),
    "accounts:revoke-token": (None, OK, 5),
}
ARGUMENTS = {
    "account_confirm_email": ["no-such-key"],
    "account_reset_password_from_key": ["1", "no-such-key"],
}
#: Alice's page of this name is nobody else's.
OWNED = ["accounts:revoke-token", "mfa_edit_webauthn", "mfa_remove_webauthn"]


def names(patterns: list[URLPattern | URLResolver], namespace: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from names(pattern.url_patterns, inner)
        else:
            yield f"{namespace}{pattern.name}"


def path_of(name: str) -> str:
    if name in OWNED:
        rows = (
            Token.objects if name.startswith("accounts:") else Authenticator.objects.filter(type="webauthn")
        )
        return reverse(name, args=[rows.earliest("pk").pk])
    return reverse(name, args=ARGUMENTS.get(name, []))


def leads_to_sign_in(answer) -> bool:
    return answer.status_code == MOVED and answer["Location"].startswith((LOGIN, "/accounts/reauthenticate/"))


@pytest.fixture
def alice(db) -> User:
    alice = confirmed(make_user("alice"))
    give_phone(alice)
    RecoveryCodes.activate(alice)
    give_key(alice)
    for number in range(20):
        Token.issue(alice, f"till {number}")
    return alice


@pytest.fixture
def browser(alice) -> Client:
    client = Client()
    client.force_login(alice)
    prove(client)
    return client


def test_every_address_is_in_the_table():
    found = {
        name
        for resolver in get_resolver().url_patterns
        if isinstance(resolver, URLResolver) and str(resolver.pattern) == "accounts/"
        for name in names([resolver])
    }

    assert found == PAGES.keys()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_not_signed_in_sees_and_does_nothing_of_anybodys(alice, name, method):
    answer = getattr(Client(), method)(path_of(name))

    expected, _, _ = PAGES[name]
    if expected is None:
        assert leads_to_sign_in(answer)
    elif method == "get":
        assert answer.status_code == expected
    assert Token.objects.filter(user=alice).count() == 20
    assert alice.authenticator_set.count() == 3


@pytest.mark.parametrize("name", OWNED)
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("rights", [{}, {"is_staff": True}, {"is_staff": True, "is_superuser": True}])
def test_what_is_hers_is_not_there_for_others_be_they_staff(alice, name, method, rights):
    other = Client()
    other.force_login(make_user(**rights))
    prove(other)

    assert getattr(other, method)(path_of(name)).status_code == MISSING
    assert Token.objects.filter(user=alice).count() == 20


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("rights", [{}, {"is_staff": True}])
def test_others_see_their_own_account_and_never_hers(alice, name, rights):
    other = Client()
    other.force_login(make_user("bob", **rights))

    page = other.get(path_of(name), follow=True).text

    assert "alice" not in page
    assert "till 1" not in page


@pytest.mark.parametrize(("name", "queries"), [(name, row[2]) for name, row in PAGES.items()])
def test_a_page_takes_few_queries(browser, name, queries, django_assert_num_queries):
    path = path_of(name)

    with django_assert_num_queries(queries):
        answer = browser.get(path)

    assert answer.status_code == PAGES[name][1]


@pytest.mark.parametrize(
    "name", [name for name, row in PAGES.items() if row[1] == OK and "download" not in name]
)
def test_a_page_is_clean_small_and_under_the_strict_policy(browser, name):
    page = browser.get(path_of(name))

    markup = Markup(page.text)
    assert markup.faults == []
    loaded = [Path(finders.find(url.removeprefix("/static/"))) for url in set(markup.loads)]
    assert len(page.content) + sum(len(gzip.compress(file.read_bytes())) for file in loaded) < 100_000
    assert "unsafe-" not in page["Content-Security-Policy"]
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert page.text.count("<h1") == 1


@pytest.mark.parametrize("name", [name for name, row in PAGES.items() if row[0] == OK])
def test_the_pages_on_the_way_in_are_clean(db, alice, name):
    assert Markup(Client().get(path_of(name)).text).faults == []


@pytest.mark.parametrize("name", PAGES)
def test_a_form_from_another_site_does_nothing(alice, name):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    assert strict.post(path_of(name)).status_code == HTTPStatus.FORBIDDEN


def test_the_part_of_the_account_one_is_in_is_marked(browser):
    assert (
        '<a href="/accounts/tokens/" aria-current="page">API tokens</a>'
        in browser.get("/accounts/tokens/").text
    )


def test_an_address_that_begins_like_an_account_and_is_none_is_not_found(browser):
    assert browser.get("/accounts/nothing/").status_code == MISSING
