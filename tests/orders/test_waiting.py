"""Why an order does not move while staff have paused a queue: said on its page and in the API, without names and reasons."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from orders import pipeline
from orders.live import ORDER
from orders.models import Order
from orders.states import FINAL, Status
from orders.waiting import why_it_waits
from proj.jobs import pausing
from proj.jobs.audit import Actor
from proj.jobs.models import Job
from tests.factories import make_order, make_user

pytestmark = pytest.mark.django_db

ZEBEDEE = Actor("zebedee", 1, "admin")
PAYMENTS = "Payments are paused for the moment. Your order keeps its place."
WORK = "Work on orders is paused for the moment. Your order keeps its place."


def pause(queue: str) -> None:
    assert pausing.pause(queue, by=ZEBEDEE, reason="The provider announced an hour of maintenance.")


@pytest.fixture
def shopper() -> User:
    return make_user()


@pytest.fixture
def browser(shopper: User) -> Client:
    client = Client()
    client.force_login(shopper)
    return client


@pytest.fixture
def unpaid(shopper: User) -> Order:
    """An order that owes its payment."""
    order = make_order(customer=shopper, status=Status.RESERVED)
    pipeline.start(order)
    return order


def test_payments_that_are_paused_are_said_on_the_page_and_in_the_api_without_who_and_why(browser, unpaid):
    pause("io")

    page = browser.get(unpaid.get_absolute_url()).text
    document = browser.get(f"/api/v1/orders/{unpaid.public_id}")

    assert f"Your goods are set aside for you. Next we charge your card. {PAYMENTS}" in page
    assert 'class="notice notice-warn"' in page
    assert document.json()["waiting"] == PAYMENTS
    for told in (page, document.text):
        assert ("zebedee" in told, "maintenance" in told) == (False, False)


def test_the_pause_and_its_end_are_news_for_whoever_watches(browser, unpaid):
    def version():
        return ORDER.read([unpaid.pk])[unpaid.pk].version

    def look(seen=""):
        return browser.get(f"{unpaid.get_absolute_url()}?seen={seen}", headers={"hx-request": "true"})

    seen, before = look().context["timeline"].seen, version()
    pause("io")
    assert (version() == before, PAYMENTS in look(seen).text) == (False, True)

    assert pausing.resume("io", by=ZEBEDEE)
    assert (version() == before, look(seen).status_code) == (True, 204)


@pytest.mark.parametrize(
    ("status", "queue", "said"),
    [
        (Status.PLACED, "default", WORK),
        (Status.CHARGING, "io", PAYMENTS),
        (Status.PAID, "default", WORK),
        (Status.FULFILLED, "io", WORK),
        (Status.PLACED, "io", ""),
        (Status.PLACED, "bulk", ""),
    ],
)
def test_it_is_said_of_the_queue_in_which_the_order_waits(status, queue, said):
    order = make_order(status=status)
    pipeline.resume(order)
    pause(queue)

    assert why_it_waits(order) == said


def test_an_express_order_overtakes_a_pause_of_the_others():
    order = make_order(status=Status.RESERVED, express=True)
    pipeline.start(order)
    pause("io")

    assert why_it_waits(order) == ""


def test_of_a_step_that_runs_nothing_is_said(unpaid):
    pause("io")
    Job.objects.update(state="running")

    assert why_it_waits(unpaid) == ""


@pytest.mark.parametrize("status", sorted(FINAL))
def test_an_order_that_is_over_waits_for_nothing(status, django_assert_num_queries):
    order = make_order(status=status)

    with django_assert_num_queries(0):
        assert why_it_waits(order) == ""
