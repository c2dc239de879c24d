import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.urls import reverse

from orders.models import Notification, Order, Sale, StockItem
from orders.payments.models import AttemptState, Incident, Refund, RefundState
from orders.states import Status
from proj.jobs.models import AuditEntry
from proj.jobs.testing import assert_enqueued, without_broker
from tests.factories import make_order, make_payment, make_product, make_refund, make_user
from tests.pages.markup import Markup

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:orders_order_changelist")
PRODUCTS = reverse("admin:orders_product_changelist")


def sign_in_staff(client, *permissions):
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def messages_of(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_orders_are_listed_with_their_money(boss):
    make_order({make_product(amount=1999): 1}, customer=make_user("ann"))

    page = boss.get(ORDERS).content.decode()

    assert "£19.99" in page
    assert "ann" in page


@pytest.mark.parametrize("query", ["ann", "ann@example.com", "the public id"])
def test_orders_are_found_by_who_and_which(boss, query):
    order, _other = make_order(customer=make_user("ann")), make_order(customer=make_user("bob"))

    response = boss.get(ORDERS, {"q": str(order.public_id) if query == "the public id" else query})

    assert list(response.context["cl"].result_list) == [order]


@pytest.mark.parametrize("query", [{"status": "paid"}, {"until": "2020-12-31"}])
def test_orders_are_filtered(boss, query):
    make_order()

    assert list(boss.get(ORDERS, query).context["cl"].result_list) == []


@pytest.mark.parametrize("url", [ORDERS, PRODUCTS])
def test_a_list_costs_the_same_queries_however_long(boss, url, django_assert_max_num_queries):
    counts = []
    for _ in range(2):
        for _ in range(10):
            make_refund(make_payment(make_order()), 1)
        with django_assert_max_num_queries(20) as queries:
            boss.get(url)
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.parametrize("model", [Sale, Notification])
def test_what_an_order_leaves_behind_can_be_looked_at(boss, model):
    make_order(status=Status.COMPLETED)

    page = boss.get(reverse(f"admin:orders_{model._meta.model_name}_changelist"))

    assert len(page.context["cl"].result_list) == 1


def test_an_order_shows_its_lines_steps_and_events_and_can_not_be_edited(boss):
    order = make_order({make_product("CUP", amount=250): 3}, status=Status.CANCELLED)
    url = reverse("admin:orders_order_change", args=[order.pk])

    page = boss.get(url).content.decode()
    refused = boss.post(url, {"status": "completed"})

    assert "£7.50" in page
    assert "notify_customer: cancelled" in page
    assert "placed \N{RIGHTWARDS ARROW} cancelled" in page
    assert 'name="_save"' not in page
    assert refused.status_code == 403
    assert Order.objects.get().status == Status.CANCELLED


@pytest.mark.parametrize("count", [1, 20])
def test_an_order_costs_the_same_queries_however_much_belongs_to_it(boss, count, django_assert_num_queries):
    order = make_order({make_product(): 1 for _ in range(count)})
    payment = make_payment(order, amount=500)
    for number in range(count):
        make_refund(payment, 1)
        Notification.objects.create(order=order, kind="refunded", reference=str(number))
        Incident.objects.create(
            order=order, kind="refund_failed", fingerprint=f"refund:{number}", summary="?"
        )
    ContentType.objects.get_for_model(Order)  # Django remembers it for the process: whoever asks first pays

    # session, person, order with its customer, payments, refunds, lines, incidents, steps, and four for the story: events,
    # mails, jobs, staff
    with django_assert_num_queries(12):
        boss.get(reverse("admin:orders_order_change", args=[order.pk]))


def test_an_order_shows_its_money_and_leads_to_all_that_belongs_to_it(boss):
    order = make_order(status=Status.COMPLETED)
    payment = make_payment(order, provider_ref="pi_1")
    refund = make_refund(payment, 125, provider_ref="re_1")
    make_refund(payment, 100, state=RefundState.REQUESTED)
    incident = Incident.objects.create(
        order=order, kind="refund_failed", fingerprint="refund:1", summary="Refused: closed account."
    )

    page = boss.get(reverse("admin:orders_order_change", args=[order.pk])).text

    for row in (payment, refund, incident, order.notifications.get()):
        kind = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
        assert f'href="{reverse(kind, args=[row.pk])}"' in page
    for words in ("pi_1", "re_1", "£1.25", "£1.25, £1.00 under way", "Refused: closed account."):
        assert words in page


def cancel(client, orders, **fields):
    fields |= {"action": "cancel", "_selected_action": [order.pk for order in orders]}
    with without_broker():
        return client.post(ORDERS, fields, follow=True)


@pytest.fixture
def five() -> list[Order]:
    cup = make_product(on_hand=10)
    names = ("reserved", "paid", "charging", "fulfilled", "cancelled")
    orders = [make_order({cup: 1}, status=Status(name)) for name in names]
    make_payment(orders[1])
    make_payment(orders[2], state=AttemptState.UNKNOWN)
    return orders


def test_cancelling_asks_first_and_says_what_happens_to_each_order_and_its_money(boss, five):
    page = " ".join(Markup(cancel(boss, five).text).text.split())

    reserved, paid, charging, fulfilled, cancelled = (order.pk for order in five)
    assert f"Order {reserved}, reserved, £2.50: nothing was taken." in page
    assert f"Order {paid}, paid, £2.50: £2.50 goes back." in page
    assert (
        f"Order {charging}, charging, £2.50: its payment is being looked up: whatever was taken goes back."
        in page
    )
    assert f"Order {fulfilled}: It is on its way." in page
    assert f"Order {cancelled}: It is cancelled." in page
    assert list(Order.objects.order_by("pk").values_list("status", flat=True)) == [
        "reserved",
        "paid",
        "charging",
        "fulfilled",
        "cancelled",
    ]
    assert Refund.objects.count() == 0


def test_cancelling_orders_says_what_happened_to_each_and_to_its_money(boss, five):
    response = cancel(boss, five[:4], confirmed="yes")

    reserved, paid, charging, fulfilled = (order.pk for order in five[:4])
    looked_up = "its payment is being looked up: whatever was taken goes back"
    cancelled = f"{reserved} (nothing was taken), {paid} (£2.50 goes back), {charging} ({looked_up})"
    assert messages_of(response) == [
        f"Cancelled, with any stock given back: {cancelled}.",
        f"Too late to cancel: {fulfilled} (It is on its way).",
    ]
    assert list(Order.objects.order_by("pk").values_list("status", flat=True)[:4]) == [
        "cancelled",
        "cancelled",
        "cancelled",
        "fulfilled",
    ]
    assert StockItem.objects.get().reserved == 0
    refund = Refund.objects.get()
    assert (refund.attempt.order, refund.amount, refund.requested_by) == (five[1], 250, "boss")
    assert_enqueued("payments.send_refund", args=[refund.pk])


def test_what_staff_do_to_an_order_is_in_the_audit_log(boss, five):
    cancel(boss, five[1:2], confirmed="yes", why=" asked for on the phone ")

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("boss", "order.cancel", f"order:{five[1].pk}")
    assert entry.reason == "asked for on the phone"
    assert (entry.before, entry.after) == ({"status": "paid"}, {"status": "cancelled"})


def test_more_orders_than_one_request_should_take_are_refused(boss, monkeypatch):
    monkeypatch.setattr("orders.admin.order.MOST", 2)
    orders = [make_order() for _ in range(3)]

    assert messages_of(cancel(boss, orders, confirmed="yes")) == ["Choose at most 2 orders at a time."]

    assert set(Order.objects.values_list("status", flat=True)) == {"placed"}


def test_staff_who_may_only_look_cannot_cancel(client):
    order = make_order()
    looker = sign_in_staff(client, "view_order")

    pages = looker.get(ORDERS).text + looker.get(reverse("admin:orders_order_change", args=[order.pk])).text
    cancel(looker, [order], confirmed="yes")

    assert 'value="cancel"' not in pages
    assert Order.objects.get().status == Status.PLACED


def test_staff_who_may_cancel_can(client):
    order = make_order()

    cancel(sign_in_staff(client, "view_order", "cancel_order"), [order], confirmed="yes")

    assert Order.objects.get().status == Status.CANCELLED
