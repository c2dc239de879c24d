from http import HTTPStatus

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from tests.accounts.people import LOGIN, LOGOUT, SIGNUP, give_phone, is_signed_in, sign_in
from tests.factories import PASSWORD, make_user
from tests.pages.markup import Markup


@pytest.mark.parametrize("login", ["alice", "ALICE", "alice@example.com", "Alice@Example.com"])
def test_one_signs_in_by_address_or_username_whatever_the_case(client, alice, login):
    answer = sign_in(client, login)

    assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, "/")
    assert is_signed_in(client)


@pytest.mark.parametrize("login", ["alice", "nobody", "alice@example.com", "nobody@example.com"])
def test_a_refusal_does_not_tell_whether_there_is_such_an_account(client, alice, login):
    page = sign_in(client, login, "wrong").text

    kind = "address" if "@" in login else "name"
    assert f"We know nobody by that {kind} and password." in page
    assert Markup(page).faults == []
    assert not is_signed_in(client)


def test_an_account_that_was_closed_says_so_to_who_knows_its_password_only(client, alice):
    alice.is_active = False
    alice.save()

    assert "We know nobody by that name and password." in sign_in(client, "alice", "wrong").text
    answer = sign_in(client, "alice")

    assert answer["Location"] == "/accounts/inactive/"
    assert "This account is closed" in client.get("/accounts/inactive/").text
    assert not is_signed_in(client)


def test_a_session_that_somebody_else_planted_is_not_the_one_that_is_signed_in(client, alice):
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies["sessionid"] = planted = session.session_key

    sign_in(client, "alice")

    thief = Client()
    thief.cookies["sessionid"] = planted
    assert client.session.session_key != planted
    assert SESSION_KEY not in thief.session
    assert not is_signed_in(thief)


def test_the_second_step_does_not_keep_the_session_either(client, alice):
    give_phone(alice)
    sign_in(client, "alice")
    halfway = client.session.session_key

    thief = Client()
    thief.cookies["sessionid"] = halfway
    assert not is_signed_in(thief)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "http:evil.example",
        "javascript:alert(1)",
        "https://testserver@evil.example/",
    ],
)
@pytest.mark.parametrize("where", ["query", "field"])
def test_signing_in_and_out_never_lead_elsewhere(client, alice, elsewhere, where):
    def post(path: str, **fields: str):
        if where == "query":
            return client.post(path, fields, query_params={"next": elsewhere})
        return client.post(path, {**fields, "next": elsewhere})

    assert post(LOGIN, username="alice", password=PASSWORD)["Location"] == "/"
    assert post(LOGOUT)["Location"] == "/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/"])
def test_no_link_or_form_on_the_way_in_leads_elsewhere(client, db, elsewhere):
    for path in (LOGIN, SIGNUP, "/accounts/password/reset/"):
        assert Markup(client.get(path, {"next": elsewhere}).text).faults == []


def test_signing_up_never_leads_elsewhere(client, db):
    fields = {"email": "carol@example.com", "password1": PASSWORD, "next": "https://evil.example/"}

    assert client.post(SIGNUP, fields)["Location"] == "/"


def test_who_is_signed_in_already_is_sent_on(browser):
    assert browser.get(f"{LOGIN}?next=/cart/")["Location"] == "/cart/"
    assert browser.get(SIGNUP)["Location"] == "/"


def test_asking_to_sign_out_asks_first(browser):
    page = browser.get(LOGOUT).text

    assert "Sign out?" in page
    assert is_signed_in(browser)

    assert browser.post(LOGOUT)["Location"] == "/"
    assert not is_signed_in(browser)


def test_the_admin_is_signed_in_to_where_everybody_signs_in(client, db):
    make_user("boss", is_staff=True, is_superuser=True)

    to_login = client.get("/admin/", follow=True)
    assert to_login.redirect_chain[-1][0] == f"{LOGIN}?next=%2Fadmin%2F"

    answer = sign_in(client, "boss", next="/admin/")
    assert answer["Location"] == "/admin/"
    assert client.get("/admin/").status_code == HTTPStatus.OK


def test_a_password_posted_to_the_admins_own_form_opens_nothing(client, db):
    make_user("boss", is_staff=True, is_superuser=True)

    answer = client.post("/admin/login/", {"username": "boss", "password": PASSWORD, "next": "/admin/"})

    assert answer["Location"] == f"{LOGIN}?next=%2Fadmin%2F"
    assert SESSION_KEY not in client.session


def test_a_customer_at_the_admins_door_is_told_so_and_stays_signed_in(browser):
    assert browser.get("/admin/", follow=True).status_code == HTTPStatus.FORBIDDEN
    assert is_signed_in(browser)


def test_staff_change_their_password_where_everybody_does(client, db):
    client.force_login(make_user(is_staff=True))

    assert client.get("/admin/password_change/")["Location"] == "/accounts/password/change/"
