"""Pages name their streams while there is something to come, and poll where there are none."""

from datetime import date

import pytest

from orders.states import FINAL, Status
from proj.live.watcher import watcher
from reports.models import Report
from tests.factories import make_order, make_user

pytestmark = pytest.mark.django_db(transaction=True)  # a stream closes its connection


@pytest.fixture
def shopper():
    return make_user()


@pytest.fixture
def browser(client, shopper):
    client.force_login(shopper)
    return client


@pytest.mark.parametrize("status", sorted(Status))
def test_the_page_of_an_order_follows_it_until_it_has_ended(browser, shopper, status):
    order = make_order(customer=shopper, status=status)

    page = browser.get(order.get_absolute_url()).text

    named = f'data-live="/api/v1/orders/{order.public_id}/events"' in page
    assert [named, "hx-trigger" in page] == [status not in FINAL] * 2


def test_the_page_of_a_report_follows_it(browser, shopper):
    report = Report.objects.create(
        date_from=date(2026, 1, 1), date_to=date(2026, 1, 1), progress_total=1, owner=shopper
    )

    page = browser.get(report.get_absolute_url()).text

    assert f'data-live="/api/v1/reports/{report.public_id}/events"' in page


@pytest.mark.parametrize(
    ("streams", "multithread"), [(0, True), (40, False)], ids=["not started for it", "one thread a process"]
)
def test_a_server_without_threads_for_it_has_no_streams(browser, shopper, settings, streams, multithread):
    settings.LIVE_STREAMS = streams
    order = make_order(customer=shopper)

    answer = browser.get(f"/api/v1/orders/{order.public_id}/events", **{"wsgi.multithread": multithread})

    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (
        503,
        "30",
        "too_many_streams",
    )
    assert len(watcher) == 0


def test_a_session_opens_the_stream_and_a_cut_one_does_not(browser, shopper, settings):
    settings.LIVE_STREAMS = 1
    url = f"/api/v1/orders/{make_order(customer=shopper, status=Status.CANCELLED).public_id}/events"

    answer = browser.get(url, **{"wsgi.multithread": True})
    told = b"".join(answer)
    answer.close()

    assert told.count(b"event: change") == 1
    assert len(watcher) == 0
    browser.logout()
    assert browser.get(url, **{"wsgi.multithread": True}).status_code == 401


def test_staff_follow_the_reports_of_others_and_shoppers_do_not(client, browser, settings):
    settings.LIVE_STREAMS = 0
    report = Report.objects.create(date_from=date(2026, 1, 1), date_to=date(2026, 1, 1), progress_total=1)
    url = f"/api/v1/reports/{report.public_id}/events"

    assert browser.get(url).status_code == 404
    client.force_login(make_user(is_staff=True))
    assert client.get(url).status_code == 503  # there, but for the threads
