"""Exports of orders: who may have them, and that the file has exactly the orders that the list showed."""

import csv
from datetime import datetime, timezone
from http import HTTPStatus

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from orders.models import Order
from orders.models.selecting import OrderSelection
from orders.payments.models import RefundState
from orders.states import Status
from proj.jobs import audit
from proj.jobs.models import AuditEntry
from proj.jobs.testing import drain, enqueued, without_broker
from reports import files, making, order_rows, services
from reports.errors import ReportRefused
from reports.models import Report
from tests.factories import make_order, make_payment, make_product, make_refund, make_user

pytestmark = pytest.mark.django_db

EXPORT = reverse("reports:orders")
BOTH = ("add_report", "view_order")


def staff(*codenames: str, **fields):
    user = make_user(**{"is_staff": True, **fields})
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def make_export(owner=None, **asked: str) -> Report:
    owner = owner or make_user()
    by = audit.Actor(owner.username, owner.pk, audit.ADMIN)
    with without_broker():
        return services.request_orders(owner, OrderSelection.read(asked), by=by)


def written(report: Report) -> list[dict[str, str]]:
    with without_broker():
        drain()
    report.refresh_from_db()
    assert report.is_ready, report.error
    with files.private_storage().open(report.file.name) as file:
        return list(csv.DictReader(file.read().decode().splitlines()))


def test_the_list_leads_to_a_file_of_exactly_what_it_shows(client):
    analyst = staff(*BOTH)
    client.force_login(analyst)
    cup = make_product(amount=1250)
    ann = make_user("ann")
    asked = {"currency": "GBP", "status": "completed", "least": "20"}
    inside = make_order({cup: 2}, customer=ann, status=Status.COMPLETED, express=True)
    make_order({cup: 1}, customer=ann, status=Status.COMPLETED)
    make_order({cup: 2}, status=Status.CANCELLED)
    payment = make_payment(inside)
    make_refund(payment, 1000)
    make_refund(payment, 200)
    make_refund(payment, 5, state=RefundState.REQUESTED)

    with without_broker():
        response = client.post(EXPORT, {**asked, "csrfmiddlewaretoken": "x"})
    report = Report.objects.get()
    rows = written(report)

    assert response["Location"] == report.get_absolute_url()
    assert rows == [
        {
            "order": str(inside.pk),
            "public id": str(inside.public_id),
            "placed at": inside.placed_at.isoformat(timespec="seconds"),
            "status": "completed",
            "customer": "ann",
            "e-mail": "ann@example.com",
            "express": "yes",
            "currency": "GBP",
            "amount": "25.00",
            "captured": "25.00",
            "given back": "12.00",
            "reason": "",
        }
    ]
    assert (report.rows, report.progress_done, report.progress_total, report.step) == (1, 1, 1, "")
    assert report.selection == asked
    assert report.created_at < report.as_of < report.finished_at
    entry = AuditEntry.objects.get(action="order.export")
    assert (entry.actor, entry.target, entry.after) == (
        analyst.username,
        f"report:{report.pk}",
        {"selection": asked},
    )


def test_the_page_says_which_orders_at_which_moment(client):
    client.force_login(analyst := staff(*BOTH))
    make_order()
    report = make_export(analyst, currency="GBP")

    assert "0 of 0 orders written" in client.get(report.get_absolute_url()).text
    written(report)
    page = client.get(report.get_absolute_url()).text

    assert "Orders, currency GBP" in page
    assert report.as_of.strftime("%H:%M:%S") in page
    assert "1 row<" in page


def test_amounts_are_in_the_unit_of_their_currency():
    make_order(currency="JPY", amount=3000)
    make_order(currency="KWD", amount=30_000)

    rows = written(make_export())

    assert [(row["currency"], row["amount"]) for row in rows] == [("JPY", "3000"), ("KWD", "30.000")]


def test_a_name_that_a_spreadsheet_would_run_is_only_a_name():
    make_order(customer=make_user("=1+1", email="@SUM(A1)@example.com"))
    Order.objects.update(reason="+cmd|' /C calc'!A0")

    (row,) = written(make_export())

    assert (row["customer"], row["e-mail"]) == ("'=1+1", "'@SUM(A1)@example.com")
    assert row["reason"] == "'+cmd|' /C calc'!A0"


@pytest.mark.parametrize("codenames", [(), ("add_report",), ("view_order",)])
def test_only_staff_who_may_look_at_orders_and_ask_for_reports_export_them(client, codenames):
    client.force_login(staff(*codenames))

    assert client.post(EXPORT).status_code == HTTPStatus.FORBIDDEN
    assert Report.objects.count() == 0
    assert enqueued() == []


def test_the_permissions_without_being_staff_are_not_enough(client):
    client.force_login(staff(*BOTH, is_staff=False))

    assert client.post(EXPORT).status_code == HTTPStatus.FORBIDDEN
    assert Report.objects.count() == 0


def test_who_is_not_signed_in_is_asked_to_and_a_look_exports_nothing(client):
    assert client.post(EXPORT).status_code == HTTPStatus.FOUND
    client.force_login(staff(*BOTH))
    assert client.get(EXPORT).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert Report.objects.count() == 0


@pytest.mark.parametrize("who", ["clerk", "shopper", "owner who may no longer"])
def test_customers_names_are_not_for_staff_who_may_not_look_at_orders(client, admin_client, who):
    analyst = staff(*BOTH)
    report = make_export(analyst)
    make_order()
    written(report)
    urls = [
        *(reverse(f"reports:{name}", args=[report.public_id]) for name in ("detail", "progress", "download")),
        reverse("api:read_report", args=[report.public_id]),
        reverse("api:download_report", args=[report.public_id]),
        reverse("api:follow_report", args=[report.public_id]),
    ]
    analyst.user_permissions.clear()
    clerk = staff("view_report", "add_report")
    client.force_login({"clerk": clerk, "shopper": make_user()}.get(who, analyst))

    assert [client.get(url).status_code for url in urls] == [HTTPStatus.NOT_FOUND] * len(urls)
    cancelled = client.post(reverse("reports:cancel", args=[report.public_id]))
    assert cancelled.status_code == HTTPStatus.NOT_FOUND
    assert str(report.public_id) not in client.get(reverse("reports:list")).text
    assert str(report.public_id) not in client.get(reverse("api:list_reports")).text
    assert str(report.public_id) in admin_client.get(reverse("reports:list")).text


def test_the_admin_of_reports_shows_exports_to_those_alone_who_may_look_at_orders(client):
    report = make_export()
    url = reverse("admin:reports_report_change", args=[report.pk])

    client.force_login(staff("view_report"))
    assert client.get(url).status_code == HTTPStatus.FOUND  # as for a report that there is not
    client.force_login(staff("view_report", "view_order"))
    assert client.get(url).status_code == HTTPStatus.OK


def test_a_selection_that_cannot_be_understood_is_refused(client):
    client.force_login(staff(*BOTH))

    response = client.post(EXPORT, {"since": "yesterday", "currency": "GBP"})

    assert response["Location"].startswith(reverse("admin:orders_order_changelist") + "?")
    assert Report.objects.count() == 0
    with pytest.raises(ReportRefused, match="since"):
        make_export(since="yesterday")


def test_an_export_that_is_cancelled_while_it_is_written_ends_without_a_file(monkeypatch):
    for _ in range(3):
        make_order()
    report = make_export()
    monkeypatch.setattr(files, "ORDERS_PER_PROGRESS", 1)
    read = []
    original = order_rows.rows

    def rows(of):
        for row in original(of):
            read.append(row)
            services.cancel_report(of.pk)
            yield row

    monkeypatch.setattr(order_rows, "rows", rows)
    with without_broker():
        drain()
    report.refresh_from_db()

    assert (report.status, report.file.name, report.rows) == ("cancelled", "", None)
    assert len(read) == 1  # the rest is not even read
    assert not files.private_storage().exists(files.folder(report))


def test_progress_is_stored_as_the_file_is_written(monkeypatch):
    for _ in range(5):
        make_order()
    report = make_export()
    monkeypatch.setattr(files, "ORDERS_PER_PROGRESS", 2)
    seen = []

    making.write_report(
        report.pk,
        lambda *told: seen.append((*told, Report.objects.values_list("progress_done", "status").get())),
    )

    assert seen == [(2, 5, "writing", (2, "running")), (4, 5, "writing", (4, "running"))]


def test_a_second_run_of_the_writer_changes_nothing():
    make_order()
    report = make_export()
    written(report)
    stamp = Report.objects.values_list("updated_at", "as_of", "file").get()

    assert making.write_report(report.pk, lambda *_: None) == 0
    assert Report.objects.values_list("updated_at", "as_of", "file").get() == stamp


def test_an_export_that_got_lost_is_resumed_with_the_orders_of_that_later_moment():
    report = make_export()
    long_ago = datetime(2026, 1, 1, tzinfo=timezone.utc)
    Report.objects.update(updated_at=long_ago)
    late = make_order()

    with without_broker():
        assert services.resume_stuck_reports() == 1
    rows = written(report)

    assert [row["order"] for row in rows] == [str(late.pk)]
    assert report.as_of > long_ago
