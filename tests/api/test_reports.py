"""The reports of the API, as an outside client sees them."""

from datetime import date, datetime, timezone
from http import HTTPStatus

import pytest
import time_machine
from django.contrib.auth.models import Permission, User

from proj.api.models import Token
from reports import making, services
from reports.models import Report

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
LIST = "/api/v1/reports"
JANUARY = {"kind": "daily_sales", "from": "2026-01-01", "to": "2026-01-31"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def shopper() -> User:
    return User.objects.create_user("shopper")


@pytest.fixture
def clerk() -> User:
    """Staff without a permission."""
    return User.objects.create_user("clerk", is_staff=True)


@pytest.fixture
def analyst() -> User:
    """Staff who may ask for reports."""
    user = User.objects.create_user("analyst", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_report"))
    return user


def bearer(user: User) -> dict[str, str]:
    _, text = Token.issue(user)
    return {"Authorization": f"Bearer {text}"}


def ask(client, user: User, payload: dict):
    return client.post(LIST, payload, content_type="application/json", headers=bearer(user))


def make_report(owner: User | None, day: date = date(2026, 1, 1), **fields) -> Report:
    return Report.objects.create(owner=owner, date_from=day, date_to=day, progress_total=1, **fields)


def finish(report: Report) -> None:
    making.sum_days(report.pk, report.date_from, report.date_to)
    making.write_report(report.pk, lambda *_: None)


@time_machine.travel(NOW, tick=False)
def test_a_report_is_accepted_and_says_where_to_follow_it(client, analyst):
    response = ask(client, analyst, JANUARY)

    report = Report.objects.get()
    address = f"/api/v1/reports/{report.public_id}"
    assert (response.status_code, response["Location"]) == (HTTPStatus.ACCEPTED, address)
    assert response.json() == {
        "id": str(report.public_id),
        "kind": "daily_sales",
        "from": "2026-01-01",
        "to": "2026-01-31",
        "status": "queued",
        "progress": {"done": 0, "total": 31, "step": "waiting"},
        "rows": None,
        "error": None,
        "file": None,
        "task_id": report.task_id,
        "created_at": "2026-03-10T12:00:00Z",
        "started_at": None,
        "finished_at": None,
    }
    assert report.owner == analyst
    assert client.get(address, headers=bearer(analyst)).json() == response.json()


@pytest.mark.parametrize("who", ["shopper", "clerk"])
def test_only_staff_with_the_permission_may_ask(client, request, who):
    response = ask(client, request.getfixturevalue(who), JANUARY)

    assert response.status_code == HTTPStatus.FORBIDDEN
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "forbidden"
    assert Report.objects.count() == 0


def test_the_permission_without_being_staff_is_not_enough(client, shopper):
    shopper.user_permissions.add(Permission.objects.get(codename="add_report"))

    assert ask(client, shopper, JANUARY).status_code == HTTPStatus.FORBIDDEN
    assert Report.objects.count() == 0


def test_without_a_token_nothing_is_said(client):
    response = client.post(LIST, JANUARY, content_type="application/json")

    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [
        ("2026-01-02", "2026-01-01", "dates_reversed"),
        ("2026-03-10", "2026-03-11", "date_in_future"),
        ("2025-01-01", "2026-01-02", "too_many_days"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_days_that_no_report_can_have_are_refused(client, analyst, first, last, code):
    response = ask(client, analyst, JANUARY | {"from": first, "to": last})

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert response.json()["code"] == code
    assert Report.objects.count() == 0


@pytest.mark.parametrize(
    "payload",
    [
        {},
        JANUARY | {"kind": "monthly_sales"},
        JANUARY | {"from": None},
        JANUARY | {"from": 0},
        JANUARY | {"from": "2026-02-30"},
        JANUARY | {"from": "20260101"},
        JANUARY | {"from": "2026-01-01T00:00"},
        {key: JANUARY[key] for key in ("kind", "from")},
    ],
)
def test_a_payload_of_another_form_is_refused(client, analyst, payload):
    response = ask(client, analyst, payload)

    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert response.json()["code"] == "invalid"
    assert Report.objects.count() == 0


def test_the_file_comes_when_the_report_is_ready_and_not_before(client, clerk):
    report = make_report(clerk)
    address = f"/api/v1/reports/{report.public_id}/file"

    early = client.get(address, headers=bearer(clerk))
    finish(report)
    response = client.get(address, headers=bearer(clerk))

    assert early.status_code == HTTPStatus.CONFLICT
    assert (early.json()["code"], early.json()["report_status"]) == ("not_ready", "queued")
    assert response.status_code == HTTPStatus.OK
    assert response["Content-Type"] == "text/csv"
    assert response["Content-Disposition"] == 'attachment; filename="daily-sales-2026-01-01-2026-01-01.csv"'
    assert response.getvalue() == b"day,currency,orders,items,amount\r\n2026-01-01,,0,0,0.00\r\n"
    assert client.get(f"/api/v1/reports/{report.public_id}", headers=bearer(clerk)).json()["file"] == address


def test_a_failed_report_says_why_and_has_no_file(client, clerk):
    report = make_report(None)
    services.fail_report(report.pk, "no space left")
    address = f"/api/v1/reports/{report.public_id}"

    read = client.get(address, headers=bearer(clerk)).json()

    assert (read["status"], read["error"], read["file"]) == ("failed", "no space left", None)
    assert client.get(f"{address}/file", headers=bearer(clerk)).status_code == HTTPStatus.CONFLICT


@pytest.mark.parametrize("end", ["", "/file"])
def test_a_report_of_somebody_else_does_not_exist_for_a_shopper(client, shopper, analyst, end):
    theirs, own = make_report(analyst), make_report(shopper)
    for report in (theirs, own):
        finish(report)

    refused = client.get(f"/api/v1/reports/{theirs.public_id}{end}", headers=bearer(shopper))

    assert (refused.status_code, refused.json()["code"]) == (HTTPStatus.NOT_FOUND, "not_found")
    found = client.get(f"/api/v1/reports/{own.public_id}{end}", headers=bearer(shopper))
    found.close()
    assert found.status_code == HTTPStatus.OK


def test_staff_list_every_report_and_others_their_own_newest_first(client, shopper, clerk):
    first, second, third = (make_report(owner) for owner in (shopper, clerk, None))

    def ids(user: User, query: str = "") -> list[str]:
        return [item["id"] for item in client.get(f"{LIST}{query}", headers=bearer(user)).json()["items"]]

    assert ids(clerk) == [str(report.public_id) for report in (third, second, first)]
    assert ids(shopper) == [str(first.public_id)]
    services.cancel_report(second.pk)
    assert ids(clerk, "?status=cancelled") == [str(second.public_id)]


def test_a_list_goes_on_with_its_cursor(client, clerk):
    reports = [make_report(clerk) for _ in range(3)]

    page = client.get(f"{LIST}?limit=2", headers=bearer(clerk)).json()
    rest = client.get(f"{LIST}?limit=2&cursor={page['next']}", headers=bearer(clerk)).json()

    found = [item["id"] for item in page["items"] + rest["items"]]
    assert found == [str(report.public_id) for report in reversed(reports)]
    assert rest["next"] is None
