from http import HTTPStatus

from django.contrib.auth.models import Permission
from django.urls import reverse

from proj.jobs.models import AuditEntry
from reports.models import Report

LIST = reverse("admin:reports_report_changelist")


def test_reports_are_found_by_their_task(admin_client, make_report):
    make_report(task_id="3f2c-found")

    page = admin_client.get(LIST, {"q": "3f2c"}).text

    assert "Daily sales 2026-01-01 to 2026-01-31" in page
    assert "0 of 31" in page


def test_a_report_is_read_and_cancelled_but_neither_added_nor_deleted(admin_client, make_report):
    report = make_report()

    assert admin_client.get(reverse("admin:reports_report_add")).status_code == HTTPStatus.FORBIDDEN
    assert (
        admin_client.get(reverse("admin:reports_report_delete", args=[report.pk])).status_code
        == HTTPStatus.FORBIDDEN
    )
    assert (
        str(report.public_id)
        in admin_client.get(reverse("admin:reports_report_change", args=[report.pk])).text
    )
    page = admin_client.post(LIST, {"action": "cancel_reports", "_selected_action": [report.pk]}, follow=True)

    assert "1 report cancelled. What had ended stays as it was." in page.text
    assert Report.objects.get().status == "cancelled"
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("admin", "report.cancel", f"report:{report.pk}")


def test_who_may_only_look_cancels_none(client, clerk, make_report):
    clerk.user_permissions.add(Permission.objects.get(codename="view_report"))
    client.force_login(clerk)
    report = make_report()

    client.post(LIST, {"action": "cancel_reports", "_selected_action": [report.pk]})

    assert Report.objects.get().status == "queued"
    assert not AuditEntry.objects.exists()


def test_a_report_leads_to_its_job(admin_client, make_report):
    report = make_report(task_id="3f2c-found")

    page = admin_client.get(reverse("admin:reports_report_change", args=[report.pk])).text

    assert '<a href="/admin/jobs/job/3f2c-found/change/">3f2c-found</a>' in page
