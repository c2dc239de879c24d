import io
import json
from datetime import date, datetime, timezone

import pytest
import time_machine
from django.core.management import CommandError, call_command

from reports import making, services
from reports.management.commands import build_report
from reports.models import Report

NOW = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)

pytestmark = pytest.mark.django_db


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("build_report", *args, stdout=out)
    return out.getvalue()


@time_machine.travel(NOW, tick=False)
def test_without_days_it_asks_for_yesterday():
    printed = json.loads(run("--json"))

    report = Report.objects.get()
    assert (report.date_from, report.date_to, report.owner) == (date(2026, 3, 9), date(2026, 3, 9), None)
    assert printed == {
        "id": str(report.public_id),
        "from": "2026-03-09",
        "to": "2026-03-09",
        "status": "queued",
        "rows": None,
        "file": None,
        "error": None,
    }


def test_a_report_can_be_asked_for_in_somebodys_name(analyst):
    line = run("--from", "2026-01-01", "--to", "2026-01-31", "--user", "analyst")

    report = Report.objects.get()
    assert report.owner == analyst
    assert line == f"Daily sales 2026-01-01 to 2026-01-31: queued ({report.public_id})\n"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--from", "2026-02-01", "--to", "2026-01-01"], "The first day is after the last day."),
        (["--from", "2999-01-01"], "A report cannot include days that are still to come."),
        (["--user", "nobody"], "There is no user nobody."),
        (["--from", "yesterday"], "argument --from: invalid fromisoformat value: 'yesterday'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_2(args, message):
    with pytest.raises(CommandError) as refused:
        run(*args)

    assert str(refused.value).removeprefix("Error: ") == message
    assert refused.value.returncode in (1, 2)
    assert Report.objects.count() == 0


def test_waiting_ends_with_the_report(monkeypatch):
    def work(_seconds: float) -> None:
        report = Report.objects.get()
        making.sum_days(report.pk, report.date_from, report.date_to)
        making.write_report(report.pk, lambda *_: None)

    monkeypatch.setattr(build_report.time, "sleep", work)

    printed = json.loads(run("--from", "2026-01-01", "--wait", "--json"))

    assert (printed["status"], printed["rows"]) == ("ready", 1)
    assert printed["file"].endswith(".csv")


def test_a_report_that_fails_exits_with_1(monkeypatch):
    monkeypatch.setattr(
        build_report.time, "sleep", lambda _: services.fail_report(Report.objects.get().pk, "no space left")
    )
    out = io.StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("build_report", "--from", "2026-01-01", "--wait", stdout=out)

    assert ended.value.code == 1
    assert "failed: no space left" in out.getvalue()


def test_a_report_that_does_not_come_in_time_exits_with_1():
    with pytest.raises(SystemExit) as ended:
        run("--from", "2026-01-01", "--wait", "--timeout", "0")

    assert ended.value.code == 1
