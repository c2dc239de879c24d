"""The first page of the admin: what is wrong in words, and the figures; for whom; and what it costs."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from kombu.exceptions import OperationalError

from orders.payments.incidents import providers_in_trouble
from orders.payments.models import Provider
from proj.console import dashboard, facts, incidents
from proj.console.dashboard import gather
from proj.console.incidents import Incident
from proj.console.templatetags import console
from proj.jobs import attendance, bell, ledger, pausing
from proj.jobs.audit import Actor
from proj.jobs.broker import Broker
from proj.jobs.models import AuditEntry, Job, Operation, QueueMinute, TaskRate, Worker
from proj.jobs.testing import drain, without_broker
from proj.queues import WORKERS
from tests.console.people import member, staff
from tests.factories import make_user
from tests.jobs.attendants import nobody
from tests.jobs.probes import add, refuse

__all__ = ["nobody"]  # a fixture is found by its name here

pytestmark = pytest.mark.django_db

HELD = dashboard._held  # before a fixture takes its place
ANN = Actor("ann", 1, "admin")
NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _without_broker(monkeypatch, nobody):
    monkeypatch.setattr(dashboard, "_held", lambda queues: dict.fromkeys(queues, 0))
    monkeypatch.setattr(incidents, "_sources", {})
    with without_broker():
        yield


@pytest.fixture
def manned():
    """A worker for each group of queues, and a beat."""
    for group in WORKERS:
        queues = list(group.queues)
        attendance.tell(
            f"{group.name}@host", queues=queues, takes=queues, pool=group.pool, size=group.concurrency
        )
    attendance.tell("beat@host", queues=[], takes=[], pool="beat", size=0)


@pytest.fixture
def operator(client):
    user = member("operators")
    client.force_login(user)
    return user


def troubles(user):
    return [(trouble.level, trouble.text) for trouble in gather(user).troubles]


def queue(user, name):
    return next(queue for queue in gather(user).queues if queue.name == name)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_where_nothing_is_wrong_it_says_so(client, operator, manned):
    page = client.get("/admin/").content.decode()

    assert "All is well." in page
    assert troubles(operator) == []


def test_no_beat_and_no_worker_are_the_first_things_to_know(operator):
    add.delay(1)

    assert troubles(operator) == [
        ("bad", "No beat is running: no schedule runs, and nothing that was lost is rung for again."),
        ("bad", "Jobs wait in default, and no worker takes from it."),
        *(
            ("warn", f"No worker takes from {name}.")
            for name in ("critical", "io", "hooks", "compute", "bulk")
        ),
    ]


def test_a_worker_that_is_not_heard_of_is_said_and_counts_no_more(operator, manned):
    Worker.objects.filter(hostname="io@host").update(seen_at=timezone.now() - timedelta(seconds=20))

    assert troubles(operator) == [
        ("warn", "io@host has not been heard of for a while."),
        ("warn", "No worker takes from io."),
    ]
    assert (queue(operator, "io").consumers, queue(operator, "io").level) == (0, "warn")


def test_a_beat_that_is_gone_is_no_trouble_beside_one_that_is_there(operator, manned):
    attendance.tell("old-beat@host", queues=[], takes=[], pool="beat", size=0)
    Worker.objects.filter(hostname="old-beat@host").update(seen_at=timezone.now() - timedelta(seconds=20))
    assert troubles(operator) == []

    Worker.objects.filter(hostname="beat@host").update(seen_at=timezone.now() - timedelta(seconds=20))
    [(level, text)] = troubles(operator)
    assert (level, text.partition(":")[0]) == ("bad", "No beat is running")


def test_a_pause_is_said_with_who_and_why(client, operator, manned):
    pausing.pause("bulk", by=ANN, reason="a <bad> import")

    assert troubles(operator) == [("warn", "bulk is paused by ann: a <bad> import.")]
    assert "a &lt;bad&gt; import" in client.get("/admin/").content.decode()


def test_a_rate_is_said_while_jobs_wait_for_it(client, operator, manned):
    rate = TaskRate.objects.create(task="jobprobes.add", runs=1, per=60, reason="they asked.")
    assert troubles(operator) == []

    TaskRate.objects.update(booked_until=ledger.now() + timedelta(minutes=1))

    text = "Jobs wait for their turn: jobprobes.add: at most 1 a minute, because: they asked."
    assert troubles(operator) == [("warn", text)]
    href = re.search(r'href="([^"]*)" id="trouble-1"', client.get("/admin/").content.decode())[1]
    assert client.get(href).context["original"] == rate


def test_jobs_that_wait_for_long_are_said(operator, manned):
    add.delay(1)
    Job.objects.update(available_at=timezone.now() - timedelta(minutes=6))

    assert troubles(operator) == [("warn", "Jobs in default wait for longer than 5 minutes.")]
    assert queue(operator, "default").age >= timedelta(minutes=6)


def test_dead_jobs_are_counted_by_task_and_by_what_they_died_of(client, operator, manned):
    for number in (17, 42, 4711):
        refuse.delay(number)
    drain()

    [kind] = gather(operator).dead.kinds
    assert (kind.task, kind.error, kind.size) == ("jobprobes.refuse", "Permanent: order # is refused", 3)
    assert troubles(operator) == [("warn", "3 jobs are dead: failed for good, and kept.")]
    page = client.get("/admin/").content.decode()
    href = re.search(r'href="([^"]*)" id="kind-1"', page)[1].replace("&amp;", "&")
    assert len(client.get(href).context["cl"].result_list) == 3


def test_a_broker_that_is_away_is_said(operator, manned, monkeypatch):
    monkeypatch.setattr(dashboard, "_held", lambda queues: {})

    assert troubles(operator) == [("bad", "The broker does not answer: what is enqueued is safe, and waits.")]


def test_a_broker_that_is_away_is_asked_once_in_a_while(monkeypatch):
    asked = []

    def away(*_):
        asked.append(1)
        raise OperationalError("refused")

    monkeypatch.setattr(Broker, "count", away)

    with mock.patch.object(bell, "is_silent", side_effect=lambda: time.monotonic() < bell._quiet_until):
        assert [HELD(["io"]), HELD(["io"]), asked] == [{}, {}, [1]]


def scheduled(name, **fields):
    every = IntervalSchedule.objects.get_or_create(every=1, period="hours")[0]
    return PeriodicTask.objects.create(name=name, task="tests.x", interval=every, **fields)


def test_schedules_that_should_have_run_are_said(client, operator, manned):
    now = ledger.now()
    scheduled("Late", last_run_at=now - timedelta(hours=1, minutes=2))
    scheduled("Well", last_run_at=now - timedelta(minutes=20))
    scheduled("Off", last_run_at=now - timedelta(days=2), enabled=False)

    late, well = gather(operator).schedules

    assert (late.name, late.late // timedelta(minutes=1)) == ("Late", 2)
    assert (well.name, well.late, well.next - now) == ("Well", None, timedelta(minutes=40))
    assert troubles(operator) == [("bad", "Late should have run by now.")]
    assert "late by 2m" in client.get("/admin/").content.decode()


def test_a_schedule_that_cannot_run_says_why(operator, manned):
    never = CrontabSchedule.objects.create(minute="x", hour="4")
    PeriodicTask.objects.create(name="Odd", task="tests.x", crontab=never)

    assert gather(operator).schedules[0].trouble != ""


def test_what_other_apps_find_wrong_is_here_for_those_who_may_see_it(client, operator, manned):
    since = timezone.now() - timedelta(hours=2)
    found = [Incident(f"{number} <differs>", f"/admin/x/{number}/", since) for number in range(9)]
    incidents.register("payments", "auth.view_user", lambda limit: found[:limit])
    assert gather(operator).incidents == {}

    client.force_login(staff("view_job", "view_user"))
    page = client.get("/admin/").content.decode()

    assert "5+ open in payments: 0 &lt;differs&gt;" in page
    assert page.count("/admin/x/") == 5


# --- the figures ------------------------------------------------------------------------------------------------------


def test_a_queue_says_what_waits_what_runs_and_what_comes_later(operator, manned):
    first, _, _ = add.delay(1), add.delay(2), add.apply_async((3,), countdown=600)
    ledger.claim(first.id, task="jobprobes.add", retries=0, worker="default@host", seconds=10)

    seen = queue(operator, "default")

    assert (seen.depth.waiting, seen.depth.later, seen.depth.running) == (1, 1, 1)
    assert (seen.consumers, seen.slots, seen.level) == (1, 2, "good")
    worker = next(each for each in gather(operator).everybody if each.hostname == "default@host")
    assert (worker.running, worker.oldest is not None) == (1, True)


def test_counting_stops_at_the_end_of_what_anybody_reads(operator, manned, monkeypatch):
    monkeypatch.setattr(facts, "MOST_COUNTED", 2)
    for number in range(4):
        add.delay(number)

    assert queue(operator, "default").depth.waiting == 2
    assert [console.counted(999), console.counted(1000), console.counted(9999, 10_000)] == [
        "999",
        "1,000+",
        "9,999",
    ]


def test_the_curve_is_of_the_last_hour_without_the_minute_that_runs(operator, manned):
    minute = ledger.now().replace(second=0, microsecond=0)
    for back, succeeded, failed in ((0, 99, 9), (1, 3, 1), (60, 5, 0), (61, 7, 0)):
        QueueMinute.objects.create(
            minute=minute - timedelta(minutes=back), queue="io", succeeded=succeeded, failed=failed
        )

    seen = queue(operator, "io")

    assert (seen.ended, seen.failed) == (9, 1)
    assert seen.curve.words == "9 ended in the last hour, 5 in the busiest minute, 1 failed"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"paused": True}, "the-bank is paused: charges and refunds wait."),
        ({"down_since": NOW}, "the-bank does not answer: charges and refunds wait."),
    ],
)
def test_a_provider_that_is_paused_or_down_is_said(client, operator, manned, fields, text):
    Provider.objects.create(name="well")
    Provider.objects.create(name="the-bank", **fields)
    incidents.register("the payment provider", "payments.view_provider", providers_in_trouble)

    assert troubles(operator) == [("bad", f"1 open in the payment provider: {text}")]
    assert "/admin/payments/provider/the-bank/change/" in client.get("/admin/").content.decode()


def test_each_trouble_says_what_to_do(client, operator):
    add.delay(1)
    pausing.pause("io", by=ANN, reason="no reason")

    hints = [trouble.hint for trouble in gather(operator).troubles]

    assert all(hints)
    assert "Start one: celery -A proj worker --queues=default." in hints
    assert "Start one: celery -A proj beat." in client.get("/admin/").content.decode()


def test_operations_and_what_people_did_lately_are_shown(client, operator, manned):
    Operation.objects.create(
        verb="retry", selection={}, reason="x", per_second=3, actor="ann", expected=7, looked_at=2
    )
    Operation.objects.create(
        verb="bury", selection={}, reason="x", per_second=3, actor="ann", expected=7, state="done"
    )
    AuditEntry.objects.create(
        actor="ann", origin="admin", action="queue.pause", target="queue:io", reason="why not"
    )
    AuditEntry.objects.create(actor="ann", origin="operation 1", action="job.retry", target="job:1")

    page = client.get("/admin/").content.decode()

    assert "retry of 7 jobs by ann" in page
    assert "bury of 7" not in page
    assert [entry.action for entry in gather(operator).audit] == ["queue.pause"]
    assert "why not" in page


def test_each_worker_of_the_queue_says_whether_it_has_let_go(client, operator):
    attendance.tell("w1@host", queues=["default", "io"], takes=["default", "io"], pool="threads", size=8)
    attendance.tell("w2@host", queues=["default"], takes=[], pool="prefork", size=2)
    attendance.tell("w3@host", queues=["io"], takes=["io"], pool="prefork", size=2)

    page = client.get("/admin/queues/default/").content.decode()

    assert page.count("takes from it") == page.count("has let go of it") == 1
    assert "w3@host" not in page


# --- for whom ---------------------------------------------------------------------------------------------------------


def test_staff_who_may_not_look_at_jobs_see_the_admin_as_ever(client):
    client.force_login(staff("view_user"))

    page = client.get("/admin/")

    assert "dashboard" not in page.context
    assert "Recent actions" in page.content.decode()
    assert client.get("/admin/dashboard/").status_code == 403
    assert client.get("/admin/queues/io/").status_code == 403


def test_who_may_look_at_jobs_only_sees_no_schedules_and_no_deeds(client, manned):
    client.force_login(staff("view_job"))

    seen = client.get("/admin/").context["dashboard"]

    assert (seen.schedules, seen.audit) == (None, None)


@pytest.mark.parametrize("address", ["/admin/", "/admin/dashboard/", "/admin/queues/io/"])
def test_customers_and_strangers_are_led_to_the_sign_in_page(client, address):
    assert client.get(address).status_code == 302
    client.force_login(make_user())
    assert client.get(address).status_code == 302


# --- how it is made ---------------------------------------------------------------------------------------------------


def test_the_part_that_is_asked_for_again_is_the_part_that_was_there(client, operator, manned):
    page, part = client.get("/admin/").content.decode(), client.get("/admin/dashboard/").content.decode()

    assert 'hx-get="/admin/dashboard/"' in page
    clock = re.compile(r"As of [0-9:]{8}|\d+s( ago)?")
    first, _, _ = clock.sub("", part).strip().partition('<section id="workers"')
    assert first in clock.sub("", page)
    assert "<html" not in part


@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/queues/io/", "/admin/jobs/job/", "/admin/jobs/operation/"]
)
def test_nothing_needs_an_exception_from_the_content_security_policy(client, operator, manned, address):
    response = client.get(address)

    page = response.content.decode()
    assert "unsafe" not in response["Content-Security-Policy"]
    assert re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style|javascript:", page) is None


def fill(jobs):
    """Fill the tables: half of the jobs wait, the rest is later, dead and running."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO jobs_job (id, task, queue, priority, message, subject, state, attempt, available_at, published_at,
                                  losses, claimed_at, claimed_by, worker, cancel_requested, error, created_at)
            SELECT kind || n, 'jobprobes.add', CASE n %% 2 WHEN 0 THEN 'default' ELSE 'io' END, 5, '{"headers": {}}', '',
                   state, 0, now() + later, CASE WHEN rung THEN now() - n * interval '1 ms' END, 0,
                   now(), 1, 'w@host', false, CASE state WHEN 'dead' THEN 'E: ' || n ELSE '' END, now()
              FROM (VALUES ('rung', 0.5, 'queued', true, interval '-1 minute'),
                           ('held', 0.1, 'queued', false, interval '-1 minute'),
                           ('later', 0.1, 'queued', false, interval '1 day'),
                           ('dead', 0.29, 'dead', true, interval '-1 day'),
                           ('running', 0.01, 'running', true, interval '-1 day')) AS k (kind, share, state, rung, later),
                   generate_series(1, (share * %s)::int) AS n
            """,
            [jobs],
        )
        cursor.execute(
            "INSERT INTO jobs_auditentry (actor, origin, action, target, reason)"
            " SELECT 'ann', CASE WHEN n %% 100 = 0 THEN 'admin' ELSE 'operation 1' END, 'job.retry', 'job:' || n, ''"
            "   FROM generate_series(1, %s) AS n",
            [jobs],
        )
        cursor.execute("ANALYZE jobs_job; ANALYZE jobs_auditentry")


def test_the_number_of_questions_does_not_depend_on_how_much_there_is(client, operator, manned):
    client.get("/admin/dashboard/")
    with CaptureQueriesContext(connection) as few:
        client.get("/admin/dashboard/")
    fill(2_000)
    for number in range(30):
        scheduled(f"s{number}")
        attendance.tell(f"w{number}@host", queues=["io"], takes=["io"], pool="threads", size=1)
        Operation.objects.create(
            verb="retry", selection={}, reason="x", per_second=3, actor="ann", expected=7
        )
    with CaptureQueriesContext(connection) as many:
        client.get("/admin/dashboard/")

    assert len(many) == len(few)
    assert len(many) <= 15


def test_no_question_reads_a_long_table_from_end_to_end(operator, manned, monkeypatch):
    # As far from the end of what is counted as in a table of a million.
    monkeypatch.setattr(facts, "MOST_COUNTED", 300)
    monkeypatch.setattr(facts, "MOST_DEAD", 100)
    monkeypatch.setattr(facts, "MOST_DEAD_COUNTED", 300)
    fill(30_000)
    read = []

    def explain(execute, sql, params, many, context):
        if sql.lstrip().upper().startswith(("SELECT", "WITH")):
            execute(f"EXPLAIN (FORMAT JSON) {sql}", params, many, context)
            [(plan,)] = context["cursor"].fetchall()
            read.extend(_within((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        gather(operator)

    tables = [node for node in read if node.get("Relation Name") in {"jobs_job", "jobs_auditentry"}]
    assert len(tables) >= 8
    assert [node["Filter"] for node in tables if node["Node Type"] in {"Seq Scan", "Sample Scan"}] == []


def _within(node):
    yield node
    for inner in node.get("Plans", []):
        yield from _within(inner)
