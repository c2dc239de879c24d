import re
from http import HTTPStatus

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import InvalidToken
from django.test import Client

from tests.accounts.people import (
    AGAIN,
    LOGIN,
    SECOND_STEP,
    code,
    confirmed,
    delivered,
    give_phone,
    is_signed_in,
    prove,
    sign_in,
)
from tests.factories import PASSWORD, make_user
from tests.pages.markup import Markup

INDEX, ACTIVATE, DEACTIVATE = (
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/totp/deactivate/",
)
CODES, GENERATE = "/accounts/2fa/recovery-codes/", "/accounts/2fa/recovery-codes/generate/"
DOWNLOAD = "/accounts/2fa/recovery-codes/download/"


def second_step(client: Client, code: str, login: str = "alice"):
    """Sign in with the password and then with a code."""
    assert sign_in(client, login)["Location"].partition("?")[0] == SECOND_STEP
    return client.post(SECOND_STEP, {"code": code})


def recovery_codes(user) -> list[str]:
    return RecoveryCodes.activate(user).get_unused_codes()


@pytest.mark.django_db(transaction=True)  # its mail leaves on commit
def test_an_app_is_added_by_its_first_code_and_recovery_codes_come_with_it(browser):
    assert browser.get(ACTIVATE)["Location"] == f"{AGAIN}?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F"
    prove(browser)
    page = browser.get(ACTIVATE)
    secret = page.context["form"].secret
    assert secret in page.text

    assert browser.post(ACTIVATE, {"code": code(secret)})["Location"] == CODES

    shown = browser.get(CODES)
    assert "Two-step sign-in is on." in shown.text
    assert len(re.findall(r"<li>\d{8}</li>", shown.text)) == 10
    assert delivered()[-1].subject == "Two-step sign-in was turned on"
    assert second_step(Client(), code(secret, 1))["Location"] == "/"


def test_a_wrong_first_code_adds_nothing_and_keeps_the_key(browser, alice):
    prove(browser)
    secret = browser.get(ACTIVATE).context["form"].secret

    page = browser.post(ACTIVATE, {"code": "000000"})

    assert "This code is not right" in page.text
    assert page.context["form"].secret == secret
    assert Authenticator.objects.count() == 0


def test_the_password_alone_is_not_enough(client, alice):
    give_phone(alice)

    answer = sign_in(client, "alice", next="/cart/")

    assert answer["Location"].startswith(SECOND_STEP)
    assert not is_signed_in(client)
    assert (
        client.post("/api/v1/orders", {}, content_type="application/json").status_code
        == HTTPStatus.UNAUTHORIZED
    )


def test_the_code_leads_to_where_one_was(client, alice):
    secret = give_phone(alice)
    sign_in(client, "alice", next="/cart/")

    assert client.post(SECOND_STEP, {"code": code(secret)})["Location"] == "/cart/"
    assert is_signed_in(client)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_phone_may_be_half_a_minute_off_and_no_more(client, alice, step):
    secret = give_phone(alice)

    assert "This code is not right" in second_step(client, code(secret, 3 * step or 5)).text
    assert second_step(client, code(secret, step))["Location"] == "/"


def test_a_code_is_taken_once(client, alice):
    secret = give_phone(alice)
    used = code(secret, 1)
    second_step(client, used)

    thief = Client()
    page = second_step(thief, f"{used[:3]} {used[3:]}").text

    assert "used" in page
    assert not is_signed_in(thief)


def test_a_code_is_taken_once_also_when_the_half_minute_is_over_that_the_library_remembers(
    client, alice, monkeypatch
):
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.TOTP._mark_code_used", lambda self, code: True)

    test_a_code_is_taken_once(client, alice)


def test_each_recovery_code_lets_in_once(client, alice):
    give_phone(alice)
    first, second, *_ = recovery_codes(alice)

    assert second_step(client, first)["Location"] == "/"
    assert "This code is not right" in second_step(Client(), first).text
    assert second_step(Client(), second)["Location"] == "/"
    assert len(recovery_codes(alice)) == 8


def test_nobody_uses_the_code_of_somebody_else(client, alice):
    give_phone(alice)
    theirs = give_phone(make_user("mallory"))

    assert "This code is not right" in second_step(client, code(theirs)).text
    assert not is_signed_in(client)


def test_the_second_step_without_the_first_leads_to_the_first(client, db):
    assert client.get(SECOND_STEP)["Location"] == LOGIN
    assert client.post(SECOND_STEP, {"code": "123456"})["Location"] == LOGIN


def test_the_admin_asks_for_the_second_step_of_who_has_one(client, db):
    secret = give_phone(make_user("boss", is_staff=True, is_superuser=True))

    answer = sign_in(client, "boss", next="/admin/")

    assert answer["Location"].startswith(SECOND_STEP)
    assert client.get("/admin/").status_code == HTTPStatus.FOUND
    assert client.post(SECOND_STEP, {"code": code(secret)})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == HTTPStatus.OK


def test_recovery_codes_are_shown_again_and_replaced_only_to_who_proves_who_they_are(browser, alice):
    give_phone(alice)
    old = recovery_codes(alice)
    for path in (CODES, GENERATE, DOWNLOAD):
        assert browser.get(path)["Location"].startswith(AGAIN)

    prove(browser)
    assert all(one in browser.get(CODES).text for one in old)
    assert all(one in browser.get(DOWNLOAD).text for one in old)
    assert browser.get(DOWNLOAD)["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
    browser.post(GENERATE)

    assert set(recovery_codes(alice)).isdisjoint(old)
    assert "This code is not right" in second_step(Client(), old[0]).text


def test_turning_it_off_asks_first_and_then_the_password_is_enough(browser, alice):
    give_phone(alice)
    recovery_codes(alice)
    prove(browser)

    assert "Turn off two-step sign-in?" in browser.get(DEACTIVATE).text
    assert Authenticator.objects.count() == 2

    browser.post(DEACTIVATE)
    assert Authenticator.objects.count() == 0
    assert sign_in(Client(), "alice")["Location"] == "/"
    assert delivered()[-1].subject == "Two-step sign-in was turned off"


def test_it_cannot_be_turned_off_by_an_open_browser(browser, alice):
    give_phone(alice)

    assert browser.post(DEACTIVATE)["Location"].startswith(AGAIN)
    assert Authenticator.objects.count() == 1


def test_a_code_proves_who_one_is_as_well_as_the_password(browser, alice):
    secret = give_phone(alice)

    answer = browser.post("/accounts/2fa/reauthenticate/", {"code": code(secret), "next": DEACTIVATE})

    assert answer["Location"] == DEACTIVATE
    assert browser.get(DEACTIVATE).status_code == HTTPStatus.OK


def test_who_has_not_confirmed_the_address_is_told_to_first(client, db):
    client.post("/accounts/signup/", {"email": "carol@example.com", "password1": PASSWORD})

    page = client.get(ACTIVATE, follow=True)

    assert page.redirect_chain == [(INDEX, HTTPStatus.FOUND)]
    assert "Confirm your e-mail address first" in page.text


def test_secrets_are_stored_encrypted(alice, settings):
    secret = give_phone(alice)
    codes = recovery_codes(alice)

    stored = str(list(Authenticator.objects.values("data")))
    assert secret not in stored
    seed = Authenticator.objects.get(type="recovery_codes").data["seed"]

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, after the first one was replaced"
    assert recovery_codes(alice) == codes

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(InvalidToken):
        recovery_codes(alice)
    assert seed not in codes


def test_staff_take_the_second_factor_of_somebody_who_lost_it_away_and_see_no_secret(client, alice):
    secret = give_phone(alice)
    data = Authenticator.objects.get().data["secret"]
    boss = make_user(is_staff=True, is_superuser=True)
    client.force_login(boss)
    path = f"/admin/mfa/authenticator/{Authenticator.objects.get().pk}/"

    page = client.get(f"{path}change/").text
    assert secret not in page
    assert data not in page
    assert client.get("/admin/mfa/authenticator/add/").status_code == HTTPStatus.FORBIDDEN

    client.post(f"{path}delete/", {"post": "yes"})
    assert Authenticator.objects.count() == 0


@pytest.mark.parametrize(
    "path", [INDEX, ACTIVATE, DEACTIVATE, CODES, GENERATE, "/accounts/2fa/reauthenticate/"]
)
@pytest.mark.parametrize("has_phone", [False, True])
def test_the_pages_are_clean(browser, alice, path, has_phone):
    if has_phone:
        give_phone(alice)
        recovery_codes(alice)
    prove(browser)

    page = browser.get(path)

    if page.status_code == HTTPStatus.OK:
        # What the app reads is in the page, and what opens it is its own: nobody else learns the key.
        ours = ("leads elsewhere, data:image/svg+xml;", "leads elsewhere, otpauth://totp/")
        assert [fault for fault in Markup(page.text).faults if not fault.startswith(ours)] == []
    else:
        assert page.status_code in {HTTPStatus.FOUND, HTTPStatus.NOT_FOUND}


def test_the_page_of_the_second_step_is_clean(client, alice):
    give_phone(alice)
    sign_in(client, "alice")

    assert Markup(client.get(SECOND_STEP).text).faults == []
    assert Markup(client.post(SECOND_STEP, {"code": ""}).text).faults == []


def test_somebody_else_who_confirmed_is_not_asked(client, alice):
    give_phone(alice)
    confirmed(make_user("bob"))

    assert sign_in(client, "bob")["Location"] == "/"
