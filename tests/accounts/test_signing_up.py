from http import HTTPStatus

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.test import Client

from orders.carts import read_cart
from orders.models import Order
from proj.accounts.models import Mail
from tests.accounts.people import SIGNUP, delivered, is_signed_in, link_in, sign_in
from tests.factories import PASSWORD, make_product
from tests.pages.markup import Markup

EMAIL = "carol@example.com"
FORM = {"email": EMAIL, "password1": PASSWORD}


def test_from_nobody_to_a_first_order(client, db):
    make_product("MUG", name="Blue mug", amount=450)
    assert client.post("/cart/add/", {"sku": "MUG", "quantity": 1})["Location"].startswith("/accounts/login/")

    answer = client.post(SIGNUP, {**FORM, "next": "/?q=mug"})
    assert (answer.status_code, answer["Location"]) == (HTTPStatus.FOUND, "/?q=mug")

    client.post("/cart/add/", {"sku": "MUG", "quantity": 1})
    cart = read_cart(User.objects.get(email=EMAIL))
    answer = client.post(
        "/cart/checkout/",
        {
            "checkout_key": cart.checkout_key,
            "agreed_amount": 450,
            "payment_method": "pm_card_visa",
        },
    )
    order = Order.objects.get()
    assert answer["Location"] == f"/orders/{order.public_id}/"
    assert (order.customer.email, order.amount) == (EMAIL, 450)


def test_a_new_customer_may_order_at_once_and_confirms_the_address_later(client, db):
    client.post(SIGNUP, FORM)
    assert is_signed_in(client)
    (message,) = delivered()
    link = link_in(message)

    page = client.get(link).text
    assert "Is this your e-mail address?" in page
    assert not EmailAddress.objects.get().verified  # a scanner of mails follows links too

    assert client.post(link)["Location"] == "/accounts/"
    address = EmailAddress.objects.get()
    assert (address.email, address.verified, address.primary) == (EMAIL, True, True)
    assert "Confirmed" in client.get("/accounts/").text


def test_a_link_to_confirm_works_once_and_says_so(client, db):
    client.post(SIGNUP, FORM)
    link = link_in(delivered()[0])
    client.post(link)

    assert "This link does not work any more" in client.get(link).text
    assert "This link does not work any more" in client.get("/accounts/confirm-email/made:up:key/").text


def test_the_username_is_made_from_the_address_and_never_asked_for(client, db):
    client.post(SIGNUP, FORM)
    Client().post(SIGNUP, {**FORM, "email": "carol@example.org"})

    first, second = User.objects.order_by("pk")
    assert first.username == "carol"
    assert second.username.startswith("carol")
    assert second.username != "carol"
    assert sign_in(Client(), EMAIL).status_code == HTTPStatus.FOUND


def test_a_mail_is_owed_and_not_waited_for(client, db, mailoutbox):
    client.post(SIGNUP, FORM)

    assert mailoutbox == []
    waiting = Mail.objects.get()
    assert (waiting.recipient, waiting.subject) == (EMAIL, "Confirm your e-mail address")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("email", "carol", "Enter a valid email address."),
        ("email", "", "This field is required."),
        ("email", "alice@example.com", "There is an account with this e-mail address."),
        ("email", "ALICE@example.com", "There is an account with this e-mail address."),
        ("password1", "short", "This password is too short."),
        ("password1", "password123", "This password is too common."),
        ("password1", "carol@example.com", "The password is too similar to the email address."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nobody_is_signed_up(client, alice, field, value, words):
    page = client.post(SIGNUP, {**FORM, field: value}).text

    markup = Markup(page)
    before = page.partition(f'name="{field}"')[0]
    assert words in before.rpartition("<label")[2]
    assert 'aria-invalid="true"' in page
    assert markup.faults == []
    assert list(User.objects.all()) == [alice]
    assert PASSWORD not in page


def test_where_mails_come_first_sign_up_does_not_tell_who_has_an_account(client, alice, settings):
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"

    fresh, taken = Client(), Client()
    answers = [
        fresh.post(SIGNUP, FORM),
        taken.post(SIGNUP, {**FORM, "email": alice.email}),
    ]

    assert [answer["Location"] for answer in answers] == ["/accounts/confirm-email/"] * 2
    assert "Look into your mailbox" in fresh.get("/accounts/confirm-email/").text
    assert [(sent.to, sent.subject) for sent in delivered()] == [
        ([EMAIL], "Confirm your e-mail address"),
        ([alice.email], "You have an account already"),
    ]
    assert User.objects.count() == 2
    assert not is_signed_in(fresh)
