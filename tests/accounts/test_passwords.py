from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from tests.accounts.people import RESET, delivered, give_phone, is_signed_in, link_in, sign_in
from tests.factories import PASSWORD, make_user
from tests.pages.markup import Markup

NEW = "a wholly different phrase"


def ask(client, email: str):
    return client.post(RESET, {"email": email})


def reset_link(client, email: str) -> str:
    ask(client, email)
    return link_in(delivered()[-1])


def choose(client, link: str, password: str = NEW):
    """Follow the link of a mail and fill in the form that it leads to."""
    form = client.get(link)["Location"]
    return client.post(form, {"password1": password, "password2": password})


def test_a_forgotten_password_is_replaced_by_a_link_in_a_mail(client, alice):
    link = reset_link(client, "alice@example.com")

    answer = choose(client, link)

    assert "Your password is changed" in client.get(answer["Location"]).text
    assert sign_in(Client(), "alice", PASSWORD).status_code == HTTPStatus.OK
    assert sign_in(Client(), "alice", NEW).status_code == HTTPStatus.FOUND
    assert [sent.subject for sent in delivered()] == ["Choose a new password", "Your password was changed"]


def test_the_key_is_not_in_the_address_of_the_form(client, alice):
    link = reset_link(client, "alice@example.com")

    form = client.get(link)["Location"]

    assert link.rstrip("/").rpartition("-")[2] not in form
    assert Markup(client.get(form).text).faults == []


def test_the_key_is_not_in_the_log_either(client, alice, caplog):
    link = reset_link(client, "alice@example.com")
    confirmation = "/accounts/confirm-email/MQ:abc:def/"

    with caplog.at_level("INFO"):
        client.get(link)
        client.get(confirmation)

    logged = " ".join(str(record.msg) for record in caplog.records)
    assert "GET /accounts/password/reset/key/.../" in logged
    assert "GET /accounts/confirm-email/.../" in logged
    assert link.rstrip("/").rpartition("-")[2] not in logged
    assert "MQ:abc" not in logged


def test_a_reset_signs_out_whoever_was_in(client, alice, browser):
    assert is_signed_in(browser)

    choose(client, reset_link(client, "alice@example.com"))

    assert not is_signed_in(browser)
    assert not is_signed_in(client)


def test_a_link_works_once(client, alice):
    link = reset_link(client, "alice@example.com")
    choose(client, link)

    page = client.get(link).text

    assert "This link does not work any more" in page
    assert Markup(page).faults == []


def test_a_link_works_for_an_hour(client, alice):
    link = reset_link(client, "alice@example.com")

    with time_machine.travel(timezone.now() + timedelta(minutes=59)):
        assert client.get(link).status_code == HTTPStatus.FOUND
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert "This link does not work any more" in Client().get(link).text


def test_a_made_up_link_opens_nothing(client, alice):
    page = client.get(f"{RESET}key/{alice.pk}-abc123-0123456789abcdef/").text

    assert "This link does not work any more" in page


def test_asking_tells_nobody_whether_there_is_an_account(client, alice):
    known, unknown = ask(client, alice.email), ask(Client(), "nobody@example.com")

    assert known["Location"] == unknown["Location"] == f"{RESET}done/"
    assert known.content == unknown.content
    assert [(sent.to, sent.subject) for sent in delivered()] == [
        ([alice.email], "Choose a new password"),
        (["nobody@example.com"], "There is no account with this address"),
    ]


def test_asking_costs_a_stranger_and_a_customer_as_many_mails(client, alice, django_assert_max_num_queries):
    with django_assert_max_num_queries(20):
        ask(client, alice.email)
    with django_assert_max_num_queries(20):
        ask(client, "nobody@example.com")


def test_a_reset_does_not_pass_by_the_second_step(client, alice):
    give_phone(alice)

    choose(client, reset_link(client, "alice@example.com"))
    answer = sign_in(client, "alice", NEW)

    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(client)


def test_the_host_of_a_request_that_we_do_not_serve_gets_no_link(client, alice):
    answer = client.post(RESET, {"email": alice.email}, headers={"host": "evil.example"})

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert delivered() == []


def test_two_passwords_that_differ_are_refused_beside_the_field(client, alice):
    form = client.get(reset_link(client, "alice@example.com"))["Location"]

    page = client.post(form, {"password1": NEW, "password2": "something else"}).text

    assert "You must type the same password each time." in page
    assert sign_in(Client(), "alice", PASSWORD).status_code == HTTPStatus.FOUND


def test_changing_the_password_needs_the_old_one_and_keeps_this_browser_only(browser, alice):
    other = Client()
    other.force_login(alice)
    change = "/accounts/password/change/"

    refused = browser.post(change, {"oldpassword": "wrong", "password1": NEW, "password2": NEW})
    assert "This is not your current password." in refused.text
    assert is_signed_in(other)

    browser.post(change, {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    assert is_signed_in(browser)
    assert not is_signed_in(other)
    assert delivered()[-1].subject == "Your password was changed"


@pytest.mark.parametrize("email", ["", "not an address"])
def test_what_is_no_address_is_refused(client, db, email):
    assert "errorlist" in ask(client, email).text
    assert delivered() == []


def test_somebody_without_a_password_chooses_one(client, db):
    user = make_user("guest")
    user.set_unusable_password()
    user.save()
    client.force_login(user)

    assert client.get("/accounts/password/change/")["Location"] == "/accounts/password/set/"
    client.post("/accounts/password/set/", {"password1": NEW, "password2": NEW})

    user.refresh_from_db()
    assert user.check_password(NEW)
