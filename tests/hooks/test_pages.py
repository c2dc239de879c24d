"""The pages: what they show and to whom, and that each dangerous thing is asked about first."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from proj.hooks.models import Delivery, Endpoint, State
from proj.jobs.testing import drain
from tests.factories import make_user
from tests.hooks.receiver import answer
from tests.pages.markup import Markup

pytestmark = pytest.mark.django_db

FORM = {"url": "https://example.com/hooks", "description": "Till 4", "events": ["order.paid"]}


def paths(endpoint, delivery):
    url = endpoint.get_absolute_url()
    pages = [url, f"{url}edit/", f"{url}secret/", f"{url}off/", f"{url}delete/", f"{url}replay/"]
    return [*pages, delivery.get_absolute_url()]


def posts(endpoint, delivery):
    url = endpoint.get_absolute_url()
    names = ("edit", "secret", "off", "on", "delete", "ping", "replay")
    return [*(f"{url}{name}/" for name in names), f"{delivery.get_absolute_url()}replay/"]


def test_an_endpoint_is_created_and_its_secret_shown_once(browser, ann):
    page = browser.post("/hooks/", FORM)

    endpoint = Endpoint.objects.get()
    assert (endpoint.owner, endpoint.url, endpoint.kinds) == (ann, FORM["url"], ["order.paid"])
    assert page.text.count("whsec_") == 1
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    for path in ("/hooks/", endpoint.get_absolute_url()):
        assert "whsec_" not in browser.get(path).text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "https://127.0.0.1/"}, "not public"),
        ({"url": "http://example.com/"}, "begins with https://"),
        ({"events": []}, "This field is required"),
        ({"events": ["order.teleported"]}, "Select a valid choice"),
        ({"url": "https://example.com/" + "x" * 500}, "at most 500 characters"),
    ],
)
def test_what_cannot_be_is_refused_where_it_was_written(browser, settings, change, words):
    settings.HOOKS_ALLOW_PRIVATE = False

    page = browser.post("/hooks/", {**FORM, **change})

    assert page.status_code == 422
    assert words in page.text
    assert not Endpoint.objects.exists()
    assert Markup(page.text).faults == []


def test_every_page_is_clean_and_nobody_elses(browser, tell, endpoint, receiver):
    receiver.replies = [answer(500, b"<script>alert(1)</script>")]
    delivery = tell(note="<script>alert(2)</script>")
    drain()
    others = Client()
    others.force_login(make_user("eve"))

    for path in ["/hooks/", *paths(endpoint, delivery)]:
        page = browser.get(path)
        assert (page.status_code, Markup(page.text).faults) == (200, []), path
        assert "unsafe" not in page["Content-Security-Policy"]
        assert Client().get(path).status_code == 302
        if path != "/hooks/":
            assert others.get(path).status_code == 404, path
    assert "Till 3" not in others.get("/hooks/").text
    assert "<script>alert(" not in browser.get(delivery.get_absolute_url()).text


def test_nobody_else_changes_anything(tell, endpoint, receiver):
    delivery = tell()
    drain()
    before = (Endpoint.objects.values().get(), Delivery.objects.values().get())
    others = Client()
    others.force_login(make_user("eve", is_staff=True))

    for path in posts(endpoint, delivery):
        assert others.post(path, {**FORM, "old": "end"}).status_code == 404, path
        assert Client().post(path).status_code == 302, path
    assert (Endpoint.objects.values().get(), Delivery.objects.values().get()) == before
    assert len(receiver.posts) == 1


def test_a_get_changes_nothing(browser, tell, endpoint):
    delivery = tell()
    before = (Endpoint.objects.values().get(), Delivery.objects.values().get())

    statuses = {browser.get(path).status_code for path in posts(endpoint, delivery)}

    assert statuses == {200, 405}
    assert (Endpoint.objects.values().get(), Delivery.objects.values().get()) == before


def test_a_form_of_another_site_changes_nothing(tell, endpoint, ann):
    delivery = tell()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ann)

    assert {strict.post(path, FORM).status_code for path in ["/hooks/", *posts(endpoint, delivery)]} == {403}
    assert Endpoint.objects.count() == 1


def test_an_endpoint_is_changed(browser, endpoint):
    assert browser.post(f"{endpoint.get_absolute_url()}edit/", FORM).status_code == 302

    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.description, endpoint.kinds) == (FORM["url"], "Till 4", ["order.paid"])


@pytest.mark.parametrize(("old", "until"), [("overlap", timedelta(hours=24)), ("end", None)])
def test_a_new_secret_is_shown_once(browser, made, old, until):
    endpoint, secret = made

    page = browser.post(f"{endpoint.get_absolute_url()}secret/", {"old": old})

    assert page.text.count("whsec_") == 1
    assert secret not in page.text
    endpoint.refresh_from_db()
    left = endpoint.old_secret_until and endpoint.old_secret_until - timezone.now()
    assert left == (pytest.approx(until, abs=timedelta(minutes=1)) if until else None)


def test_off_on_and_gone(browser, endpoint, tell):
    tell()
    url = endpoint.get_absolute_url()
    assert "On the way to it: 1. It is given up" in browser.get(f"{url}off/").text

    assert "It is off" in browser.post(f"{url}off/", follow=True).text
    assert "You have switched it off." in browser.get(url).text
    assert "It is on" in browser.post(f"{url}on/", follow=True).text
    assert browser.post(f"{url}delete/", follow=True).status_code == 200

    assert browser.get(url).status_code == 404
    assert "You have no endpoint." in browser.get("/hooks/").text


def test_a_ping_leads_to_what_came_of_it(browser, endpoint, receiver):
    page = browser.post(f"{endpoint.get_absolute_url()}ping/")
    drain()

    shown = browser.get(page["Location"]).text
    assert "webhook.ping" in shown
    assert "204" in shown
    assert len(receiver.posts) == 1


def test_what_failed_is_sent_again(browser, tell, endpoint, receiver):
    one, two = tell(), tell()
    Delivery.objects.update(state=State.FAILED, settled_at=timezone.now())
    assert "It is being sent again." in browser.post(f"{one.get_absolute_url()}replay/", follow=True).text
    drain()
    assert [post.id for post in receiver.posts] == [one.event_id]

    assert "Given up: 1" in browser.get(f"{endpoint.get_absolute_url()}replay/").text
    sent = browser.post(f"{endpoint.get_absolute_url()}replay/", {"since": "2999-01-01"}, follow=True)
    assert "Being sent again: 0." in sent.text
    assert "Being sent again: 1." in browser.post(f"{endpoint.get_absolute_url()}replay/", follow=True).text
    drain(ahead=True)
    assert receiver.posts[1].id == two.event_id


def test_an_endpoint_that_is_off_says_so_instead_of_sending(browser, tell, endpoint):
    delivery = tell()
    browser.post(f"{endpoint.get_absolute_url()}off/")

    for path in (f"{delivery.get_absolute_url()}replay/", f"{endpoint.get_absolute_url()}ping/"):
        assert "Nothing was sent: the endpoint is off." in browser.post(path, follow=True).text


def test_a_list_takes_few_queries_however_many_deliveries(
    browser, tell, endpoint, django_assert_max_num_queries
):
    for _ in range(30):
        tell()

    with django_assert_max_num_queries(9):
        browser.get(endpoint.get_absolute_url())
    with django_assert_max_num_queries(6):
        browser.get("/hooks/")


def test_deliveries_are_filtered_by_state(browser, tell, endpoint):
    failed, pending = tell(), tell()
    Delivery.objects.filter(pk=failed.pk).update(state=State.FAILED)

    page = browser.get(endpoint.get_absolute_url(), {"state": "failed"}).text

    assert failed.event_id[-8:] in page
    assert pending.event_id[-8:] not in page
    assert pending.event_id[-8:] in browser.get(endpoint.get_absolute_url(), {"state": "\x00"}).text
