from datetime import timedelta
from http import HTTPStatus

import time_machine
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone

from tests.accounts.people import AGAIN, confirmed, delivered, is_signed_in, link_in, prove, sign_in
from tests.factories import make_user

EMAIL = "/accounts/email/"
NEW = "alice@example.org"


def addresses(user) -> dict[str, bool]:
    """Somebody's addresses, and whether they are confirmed."""
    return dict(EmailAddress.objects.filter(user=user).values_list("email", "verified"))


def change(browser: Client, email: str = NEW):
    return browser.post(EMAIL, {"email": email, "action_add": ""})


def test_a_new_address_takes_the_place_of_the_old_one_when_it_is_confirmed(browser, alice):
    prove(browser)
    change(browser)

    assert addresses(alice) == {alice.email: True, NEW: False}
    (message,) = delivered()
    assert message.to == [NEW]

    browser.post(link_in(message))
    alice.refresh_from_db()
    assert (alice.email, addresses(alice)) == (NEW, {NEW: True})
    assert sign_in(Client(), NEW).status_code == HTTPStatus.FOUND
    assert sign_in(Client(), "alice@example.com").status_code == HTTPStatus.OK


def test_the_old_address_learns_of_it(browser, alice):
    prove(browser)
    change(browser)
    browser.post(link_in(delivered()[0]))

    warning = delivered()[-1]
    assert (warning.to, warning.subject) == (["alice@example.com"], "Your e-mail address was changed")
    assert "from alice@example.com to alice@example.org" in warning.body
    assert "127.0.0.1" in warning.body


def test_an_open_browser_is_not_enough_to_take_an_account_over(browser, alice):
    assert change(browser)["Location"].startswith(AGAIN)

    assert addresses(alice) == {alice.email: True}
    assert delivered() == []


def test_one_may_think_better_of_it(browser, alice):
    prove(browser)
    change(browser)
    assert "Do not change it" in browser.get(EMAIL).text

    browser.post(EMAIL, {"email": NEW, "action_remove": ""})

    assert addresses(alice) == {alice.email: True}
    assert "This link does not work any more" in browser.get(link_in(delivered()[0])).text


def test_the_mail_is_sent_again_once_a_minute_and_the_page_says_so(browser, alice):
    prove(browser)
    change(browser)

    browser.post(EMAIL, {"email": NEW, "action_send": ""})
    assert len(delivered()) == 1
    assert "one a minute at most" in browser.get(EMAIL).text

    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        browser.post(EMAIL, {"email": NEW, "action_send": ""})
    assert len(delivered()) == 2


def test_the_address_of_somebody_else_looks_like_any_other_and_is_never_taken_from_them(browser, alice):
    bob = confirmed(make_user("bob"))
    prove(browser)

    assert change(browser, bob.email)["Location"] == change(browser, NEW)["Location"]
    change(browser, bob.email)
    assert "We have sent" in browser.get(EMAIL).text

    messages = [sent for sent in delivered() if sent.to == [bob.email]]
    assert len(messages) <= 1
    assert addresses(bob) == {bob.email: True}
    assert sign_in(Client(), bob.email).status_code == HTTPStatus.FOUND


def test_a_link_that_somebody_else_opens_confirms_and_signs_them_out_first(browser, alice, client):
    prove(browser)
    change(browser)
    client.force_login(make_user("bob"))

    client.get(link_in(delivered()[0]))

    assert not is_signed_in(client)
    assert is_signed_in(browser)


def test_nobody_confirms_an_address_that_another_account_has_confirmed_meanwhile(browser, alice):
    prove(browser)
    change(browser)
    link = link_in(delivered()[0])
    confirmed(make_user("bob", email=NEW))

    assert "This address is taken" in browser.get(link).text
    browser.post(link)
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


def test_somebody_who_has_no_address_is_told_what_that_means(client, db):
    client.force_login(make_user("carol", email=""))

    assert "you could not reset your password" in client.get(EMAIL).text
    assert "None yet" in client.get("/accounts/").text
