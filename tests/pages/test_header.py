from http import HTTPStatus

from media.models import Avatar, Thumbnail
from tests.factories import make_user
from tests.pages.markup import Markup


def links(page) -> list[str]:
    """The words of the main navigation."""
    navigation = page.text.partition('<nav class="site-nav"')[2].partition("</nav>")[0]
    return [
        word for word in Markup(f"<nav {navigation}</nav>").text.split() if word.isalpha() and word != "items"
    ]


def test_who_is_not_signed_in_sees_the_shop_and_a_way_in_that_leads_back(client, db):
    page = client.get("/?q=mug")

    assert links(page) == ["Shop"]
    assert 'href="/accounts/login/?next=/%3Fq%3Dmug">Sign in</a>' in page.text


def test_the_sign_in_page_does_not_lead_to_itself(client, db):
    assert 'class="button" href="/accounts/login/' not in client.get("/accounts/login/?next=/cart/").text


def test_a_customer_sees_their_own_pages(browser):
    assert links(browser.get("/")) == ["Shop", "Cart", "Orders", "Profile"]


def test_staff_see_the_back_office_too(client, db):
    client.force_login(make_user(is_staff=True))

    assert links(client.get("/")) == ["Shop", "Cart", "Orders", "Profile", "Reports", "Admin"]


def test_the_page_one_is_on_is_marked(browser):
    page = browser.get("/orders/").text

    assert page.count('aria-current="page"') == 1
    assert '<a href="/orders/" aria-current="page">Orders</a>' in page


def test_signing_out_is_never_a_link(browser):
    assert "Sign out?" in browser.get("/accounts/logout/").text
    assert browser.get("/orders/").status_code == HTTPStatus.OK


def test_ones_own_picture_is_in_the_header_and_a_letter_until_there_is_one(browser, shopper):
    assert '<span class="avatar avatar-letter" aria-hidden="true">S</span>' in browser.get("/").text

    avatar = Avatar.objects.create(owner=shopper, status=Avatar.Status.READY, digest="0" * 64, bytes=1)
    for size in (512, 64):
        Thumbnail.objects.create(
            avatar=avatar, size=size, format="webp", file=f"{size}.webp", width=size, height=size, bytes=1
        )

    assert 'src="/uploads/64.webp" alt="" width="32" height="32"' in browser.get("/").text
