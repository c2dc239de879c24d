import json
from io import StringIO

import pytest
from django.core.management import call_command

from proj.queues import PURPOSES
from proj.servers import checkup
from proj.servers.checkup import Finding


def examine(*arguments: str) -> tuple[int, str]:
    said = StringIO()
    try:
        call_command("doctor", *arguments, stdout=said, no_color=True)
    except SystemExit as end:
        return end.code, said.getvalue()
    return 0, said.getvalue()


@pytest.fixture
def find(monkeypatch):
    def find(*findings: Finding) -> None:
        monkeypatch.setattr(checkup, "CHECKS", tuple(lambda finding=finding: finding for finding in findings))

    return find


def test_a_healthy_machine_is_reported_line_by_line(find):
    find(Finding("disk", True, "12 GB free"), Finding("port", True, "8000 is free"))
    assert examine() == (0, "ok    disk       12 GB free\nok    port       8000 is free\n")


def test_what_is_wrong_comes_with_what_to_do_about_it(find):
    find(Finding("disk", True, "12 GB free"), Finding("broker", False, "it is away", "start it"))
    code, said = examine()
    assert code == 1
    assert said.splitlines()[1:] == ["wrong broker     it is away", "                 to mend it: start it"]


def test_for_programs_it_is_json(find):
    find(Finding("broker", False, "it is away", "start it"))
    code, said = examine("--json")
    assert code == 1
    assert json.loads(said) == [{"name": "broker", "ok": False, "detail": "it is away", "fix": "start it"}]


def test_one_failing_check_does_not_keep_the_others_from_running(find):
    find(Finding("database", False, "it is away", "start it"), Finding("port", True, "8000 is free"))
    assert [finding.name for finding in checkup.findings()] == ["database", "port"]


@pytest.mark.django_db
def test_the_database_and_its_migrations_are_seen(transactional_db):
    assert checkup.check_database().ok is True
    assert checkup.check_migrations() == Finding("migrations", True, "0 to apply", "run manage.py migrate")


@pytest.mark.django_db
def test_missing_schedules_are_named_and_the_command_mends_it():
    finding = checkup.check_schedules()
    assert finding.ok is False
    assert finding.detail.startswith("missing: Nightly clean-up, ")
    assert finding.fix == "run manage.py ensure_schedules"
    call_command("ensure_schedules", stdout=StringIO())
    assert checkup.check_schedules().ok is True


def test_a_broker_that_is_away_is_a_finding(settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    finding = checkup.check_broker()
    assert finding.ok is False
    assert finding.fix == (
        "start the server that CELERY_BROKER_URL names, or unset it: one of our own is started then"
    )


def test_a_queue_that_nobody_consumes_is_named(monkeypatch):
    monkeypatch.setattr(checkup.consumers, "queues", lambda: set(PURPOSES) - {"compute"})
    assert checkup.check_consumers() == Finding(
        "consumers",
        False,
        "nobody consumes compute",
        "run make up, or start a worker with --queues for these",
    )


def test_a_disk_that_is_full_is_a_finding(monkeypatch):
    monkeypatch.setattr(checkup, "LEAST_SPACE", 1 << 62)
    assert checkup.check_space().ok is False


def test_the_folders_for_files_can_be_written_and_are_left_empty(files):
    assert checkup.check_files().ok is True
    assert [path for path in files.rglob("*") if path.is_file()] == []
