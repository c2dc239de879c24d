from datetime import date, datetime, timezone
from http import HTTPStatus

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.urls import reverse

from proj.jobs.models import AuditEntry
from reports import making, services
from reports.models import Report

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
LIST = "/reports/"


def finish(report: Report) -> Report:
    making.sum_days(report.pk, report.date_from, report.date_to)
    making.write_report(report.pk, lambda *_: None)
    report.refresh_from_db()
    return report


def test_reports_are_for_staff(client, shopper):
    assert client.get(LIST).status_code == HTTPStatus.FOUND
    client.force_login(shopper)
    assert client.get(LIST).status_code == HTTPStatus.FORBIDDEN


def test_staff_without_the_permission_see_no_form_and_start_nothing(client, clerk):
    client.force_login(clerk)

    assert "Build the report" not in client.get(LIST).text
    response = client.post(LIST, {"first": "2026-01-01", "last": "2026-01-31"})

    assert response.status_code == HTTPStatus.FORBIDDEN
    assert Report.objects.count() == 0


@time_machine.travel(NOW, tick=False)
def test_the_form_starts_as_the_week_that_ends_today(client, analyst):
    client.force_login(analyst)

    page = client.get(LIST).text

    assert 'type="date" name="first" value="2026-03-04"' in page
    assert 'type="date" name="last" value="2026-03-10"' in page


def test_asking_for_a_report_leads_to_its_page(client, analyst):
    client.force_login(analyst)

    response = client.post(LIST, {"first": "2026-01-01", "last": "2026-01-31"})

    report = Report.objects.get()
    assert (report.owner, report.date_from, report.date_to) == (analyst, date(2026, 1, 1), date(2026, 1, 31))
    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, f"/reports/{report.public_id}/")
    assert f"/reports/{report.public_id}/" in client.get(LIST).text


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("2026-01-02", "2026-01-01", "The first day is after the last day."),
        ("2026-01-02", "2999-01-01", "A report cannot include days that are still to come."),
        ("2020-01-01", "2026-01-01", "A report covers at most 366 days."),
        ("soon", "2026-01-01", "Enter a valid date."),
    ],
)
def test_days_that_no_report_can_have_are_shown_with_the_reason(client, analyst, first, last, message):
    client.force_login(analyst)

    response = client.post(LIST, {"first": first, "last": last})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert message in response.text
    assert Report.objects.count() == 0


def test_the_page_follows_an_unfinished_report_with_and_without_javascript(client, clerk, make_report):
    client.force_login(clerk)
    report = make_report(status="running", progress_done=10, step="summing")

    page = client.get(report.get_absolute_url()).text
    fragment = client.get(reverse("reports:progress", args=[report.public_id])).text

    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    for html in (page, fragment):
        assert f'hx-get="/reports/{report.public_id}/progress/" hx-trigger="every 1s"' in html
        assert "10 of 31 days summed, summing" in html
    assert "<html" not in fragment


def test_a_finished_report_is_not_followed_any_more(client, clerk, make_report, sell):
    client.force_login(clerk)
    sell(date(2026, 1, 3), 123456, items=7)
    report = finish(make_report())

    page = client.get(report.get_absolute_url()).text

    assert "hx-trigger" not in page
    assert "http-equiv" not in page
    assert "£1,234.56" in page
    assert f'href="/reports/{report.public_id}/file/"' in page


def test_a_failed_report_says_why(client, clerk, make_report):
    client.force_login(clerk)
    report = make_report()
    services.fail_report(report.pk, "no space <left>")

    assert "no space &lt;left&gt;" in client.get(report.get_absolute_url()).text


def test_the_file_is_downloaded_under_a_name_that_says_what_it_is(client, clerk, make_report):
    client.force_login(clerk)
    report = finish(make_report(date(2026, 1, 1), date(2026, 1, 1)))

    response = client.get(reverse("reports:download", args=[report.public_id]))

    assert response["Content-Disposition"] == 'attachment; filename="daily-sales-2026-01-01-2026-01-01.csv"'
    assert response["Content-Type"] == "text/csv"
    assert response["Cache-Control"] == "private, no-store"
    assert response.getvalue() == b"day,currency,orders,items,amount\r\n2026-01-01,,0,0,0.00\r\n"


def test_without_a_file_the_download_leads_to_the_page_that_says_why(client, clerk, make_report):
    client.force_login(clerk)
    report = make_report()

    response = client.get(reverse("reports:download", args=[report.public_id]))

    assert (response.status_code, response["Location"]) == (HTTPStatus.FOUND, report.get_absolute_url())


@pytest.mark.parametrize("name", ["detail", "progress", "download"])
def test_a_report_of_somebody_else_does_not_exist_for_a_shopper(client, shopper, analyst, make_report, name):
    theirs, own = make_report(owner=analyst), make_report(owner=shopper)
    client.force_login(shopper)

    assert client.get(reverse(f"reports:{name}", args=[theirs.public_id])).status_code == HTTPStatus.NOT_FOUND
    assert client.get(reverse(f"reports:{name}", args=[own.public_id])).status_code != HTTPStatus.NOT_FOUND


def test_a_report_is_cancelled_by_its_button(client, analyst, make_report):
    client.force_login(analyst)
    report = make_report(owner=analyst)
    address = reverse("reports:cancel", args=[report.public_id])

    assert client.get(address).status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert "Cancel the report" in client.get(report.get_absolute_url()).text
    assert "The report is cancelled." in client.post(address, follow=True).text
    assert "The report had ended already." in client.post(address, follow=True).text

    report.refresh_from_db()
    assert report.status == "cancelled"
    assert not AuditEntry.objects.exists()  # one's own


@pytest.mark.parametrize("owned", [True, False])
def test_the_report_of_somebody_else_is_cancelled_by_staff_who_may_change_reports(
    client, clerk, analyst, make_report, owned
):
    client.force_login(clerk)
    report = make_report(owner=analyst if owned else None)
    address = reverse("reports:cancel", args=[report.public_id])

    assert "Cancel the report" not in client.get(report.get_absolute_url()).text
    assert client.post(address).status_code == HTTPStatus.FORBIDDEN
    assert Report.objects.get().status == "queued"

    clerk.user_permissions.add(Permission.objects.get(codename="change_report"))
    assert "Cancel the report" in client.get(report.get_absolute_url()).text
    client.post(address)
    assert Report.objects.get().status == "cancelled"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("clerk", "report.cancel", f"report:{report.pk}")


def test_the_list_costs_the_same_queries_however_long(
    client, analyst, make_report, django_assert_max_num_queries
):
    for _ in range(30):
        make_report(owner=analyst)
    client.force_login(analyst)

    with django_assert_max_num_queries(8):
        page = client.get(LIST).text

    assert "Page 1 of 2" in page
