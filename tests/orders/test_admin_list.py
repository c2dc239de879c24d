"""The list of orders in the admin: what can be asked of it, and that its totals are of exactly what it shows."""

from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from orders.admin.totals import add_up
from orders.models import Order
from orders.models.questions import LATE_AFTER, PAYMENTS, PROGRESS, QUESTIONS
from orders.models.selecting import OrderSelection
from orders.payments.models import AttemptState, RefundState
from orders.states import Status
from tests.factories import make_order, make_payment, make_product, make_refund, make_user

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:orders_order_changelist")


def placed(day: int) -> datetime:
    return datetime(2026, 3, day, 23, 59, tzinfo=timezone.utc)


@pytest.fixture
def shop() -> dict[str, Order]:
    """Orders of which each differs from the others in something that people ask for."""
    now = datetime.now(timezone.utc)
    cup, pot = make_product("CUP", amount=1000), make_product("POT", amount=5000)
    orders = {
        "plain": make_order({cup: 1}, customer=make_user("ann")),
        "late": make_order({cup: 2}, customer=make_user("bob"), updated_at=now - 2 * LATE_AFTER),
        "pot": make_order({pot: 1}, express=True, placed_at=placed(10)),
        "yen": make_order({cup: 1}, currency="JPY", amount=3000, placed_at=placed(11)),
        "dinar": make_order({cup: 1}, currency="KWD", amount=30_000, placed_at=placed(12)),
    }
    for status in (Status.PAID, Status.CANCELLED, Status.COMPLETED, Status.CHARGING, Status.PAYMENT_FAILED):
        orders[status] = make_order({cup: 1}, status=status)
    make_payment(orders["charging"], state=AttemptState.UNKNOWN)
    make_payment(orders["payment_failed"], state=AttemptState.DECLINED)
    make_payment(orders["paid"], state=AttemptState.DECLINED)
    make_payment(orders["paid"])
    make_refund(make_payment(orders["cancelled"]), 1000)
    payment = make_payment(orders["completed"])
    make_refund(payment, 400)
    make_refund(payment, 100, state=RefundState.REQUESTED)
    return orders


LIVE = {"plain", "late", "pot", "yen", "dinar", "paid", "charging"}
CASES = [
    ({"q": "ann"}, {"plain"}),
    ({"q": "bob@EXAMPLE"}, {"late"}),
    ({"status": "paid"}, {"paid"}),
    ({"progress": "live"}, LIVE),
    ({"progress": "late"}, {"late"}),
    ({"progress": "over"}, {"cancelled", "completed", "payment_failed"}),
    ({"payment": "none"}, {"plain", "late", "pot", "yen", "dinar"}),
    ({"payment": "open"}, {"charging"}),
    ({"payment": "captured"}, {"paid"}),
    ({"payment": "declined"}, {"payment_failed"}),
    ({"payment": "returning"}, {"completed"}),
    ({"payment": "partly"}, {"completed"}),
    ({"payment": "refunded"}, {"cancelled"}),
    ({"express": "yes"}, {"pot"}),
    ({"currency": "jpy"}, {"yen"}),
    ({"since": "2026-03-10", "until": "2026-03-11"}, {"pot", "yen"}),
    ({"since": "2026-03-12", "until": "2026-03-12"}, {"dinar"}),
    ({"least": "29.99"}, {"pot", "yen", "dinar"}),
    ({"least": "30", "most": "30"}, {"dinar"}),
    ({"least": "20", "most": "50.00"}, {"late", "pot", "dinar"}),
    ({"least": "3000"}, {"yen"}),
    ({"least": "1", "currency": "KWD"}, {"dinar"}),
    ({"customer": "ANN"}, {"plain"}),
    ({"sku": "pot"}, {"pot"}),
    ({"progress": "live", "currency": "GBP", "express": "no", "payment": "none"}, {"plain", "late"}),
    ({"q": "ann", "customer": "bob"}, set()),
]


@pytest.mark.parametrize(("asked", "found"), CASES)
def test_a_list_shows_what_is_asked_for_and_adds_up_exactly_that(boss, shop, asked, found):
    context = boss.get(ORDERS, asked).context

    shown = list(context["cl"].result_list)
    assert {name for name, order in shop.items() if order in shown} == found
    assert len(shown) == context["totals"].orders == len(found)
    by_currency: dict[str, list[int]] = {}
    for order in shown:
        by_currency.setdefault(order.currency, []).append(order.amount)
    sums = {each.currency: (each.orders, each.amount) for each in context["totals"].sums}
    assert sums == {currency: (len(amounts), sum(amounts)) for currency, amounts in by_currency.items()}
    assert dict(context["selection"].asked) == asked


def test_every_question_and_every_choice_has_a_case():
    asked = {(name, text) for case, _ in CASES for name, text in case.items()}
    assert {name for name, _ in asked} == set(QUESTIONS)
    assert {text for name, text in asked if name == "payment"} == set(PAYMENTS)
    assert {text for name, text in asked if name == "progress"} == set(PROGRESS)


@pytest.mark.parametrize("which", ["number", "public_id"])
def test_an_order_is_found_by_its_number_and_its_public_id(boss, shop, which):
    order = shop["paid"]
    term = str(order.pk) if which == "number" else str(order.public_id)

    assert list(boss.get(ORDERS, {"q": term}).context["cl"].result_list) == [order]


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("q", str(2**63)),
        ("status", "unheard"),
        ("progress", "fast"),
        ("payment", "gold"),
        ("express", "maybe"),
        ("currency", "pounds"),
        ("since", "yesterday"),
        ("until", "9999-12-31"),
        ("least", "NaN"),
        ("least", "1e99"),
        ("most", "a lot"),
    ],
)
def test_what_cannot_be_understood_shows_nothing_and_exports_nothing(boss, shop, name, nonsense):
    response = boss.get(ORDERS, {name: nonsense})

    assert list(response.context["cl"].result_list) == []
    assert response.context["totals"].orders == 0
    assert response.context["selection"].lost == [name]
    assert reverse("reports:orders") not in response.text
    assert ("This could not be understood" in response.text) == (name != "q")


def test_an_empty_field_narrows_nothing(boss, shop):
    response = boss.get(ORDERS, dict.fromkeys(QUESTIONS, ""))

    assert len(response.context["cl"].result_list) == len(shop)
    assert response.context["selection"].asked == {}


@pytest.mark.parametrize("lookup", ["status__exact", "customer__id__exact", "placed_at__year"])
def test_nothing_narrows_the_list_that_would_not_narrow_its_export(boss, shop, lookup):
    """Without the guard the page would show fewer orders than the file has."""
    response = boss.get(ORDERS, {lookup: "1"})

    assert response.status_code == 400


def test_the_form_keeps_what_was_asked_and_the_search_beside_it(boss, shop):
    page = boss.get(ORDERS, {"q": "ann", "currency": "GBP", "status": "placed", "p": "1"}).text

    assert '<input type="hidden" name="q" value="ann">' in page
    assert 'name="currency" value="GBP"' in page
    assert '<option value="placed" selected>' in page


def test_totals_are_one_query_and_say_when_there_is_too_much_to_add_up(shop):
    everything = Order.objects.all()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        exact, more = add_up(everything, most=len(shop)), add_up(everything, most=len(shop) - 1)

    assert len(queries) == 2
    assert (exact.said, exact.is_more, {each.currency for each in exact.sums}) == (
        "10 orders",
        False,
        {"GBP", "JPY", "KWD"},
    )
    assert (more.said, more.is_more, more.sums) == ("More than 9 orders", True, [])
    assert f"LIMIT {len(shop)}" in queries[1]["sql"]  # what bounds it


@pytest.mark.parametrize("may", [True, False])
def test_the_export_is_offered_to_who_may_ask_for_reports(client, shop, may):
    looker = make_user(is_staff=True)
    names = ["view_order", "add_report"] if may else ["view_order"]
    looker.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(looker)

    page = client.get(ORDERS, {"currency": "JPY"}).text

    assert (f'action="{reverse("reports:orders")}"' in page) == may


def test_a_stored_selection_means_what_the_asked_one_meant(shop):
    asked = OrderSelection.read({"least": "30", "currency": "kwd", "p": "3", "csrfmiddlewaretoken": "x"})
    stored = OrderSelection.read(dict(asked.asked))

    assert stored == asked
    assert list(stored.narrow(Order.objects.all())) == [shop["dinar"]]


def test_late_is_counted_from_when_an_order_last_moved():
    edge = make_order()
    Order.objects.update(updated_at=datetime.now(timezone.utc) - LATE_AFTER + timedelta(minutes=1))

    late = OrderSelection.read({"progress": "late"})

    assert list(late.narrow(Order.objects.all())) == []
    Order.objects.update(updated_at=datetime.now(timezone.utc) - LATE_AFTER)
    assert list(OrderSelection.read({"progress": "late"}).narrow(Order.objects.all())) == [edge]
