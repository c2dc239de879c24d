"""What each beat asks each second, and what each job asks, is found by an index, however long the table is."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from proj.jobs import ledger
from proj.jobs.ledger import claiming, finishing, recording, statements
from proj.jobs.message import Message
from proj.jobs.results import Outcome

pytestmark = pytest.mark.django_db

NOW = timezone.now()
# 12,000 jobs that wait in their queues, as many that wait for tomorrow, as many dead, and 50 that run.
FILL = """
    INSERT INTO jobs_job (id, task, queue, priority, message, subject, state, attempt, available_at, published_at, losses,
                          claimed_at, claimed_by, worker, deadline, cancel_requested, error, created_at)
    SELECT kind || i, 'tests.plans', CASE i % 2 WHEN 0 THEN 'default' ELSE 'io' END, 5,
           '{"headers": {"retries": 0}, "body": "[[], {}, {}]"}', '', state, 0,
           now() + later, CASE WHEN rung THEN now() - i * interval '1 ms' END, 0,
           now(), pg_backend_pid(), '', now() + interval '1 hour', false, '', now()
      FROM (VALUES ('rung', 12000, 'queued', true, interval '-1 hour'),
                   ('tomorrow', 12000, 'queued', false, interval '1 day'),
                   ('dead', 12000, 'dead', true, interval '-1 day'),
                   ('running', 50, 'running', true, interval '-1 minute')) AS kinds (kind, size, state, rung, later),
           generate_series(1, size) AS i
"""


@pytest.fixture
def long_table() -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("ANALYZE jobs_job")


@pytest.fixture
def nodes(long_table, monkeypatch) -> Callable[[Callable[[], object]], list[dict]]:
    """Return what plans the statements of a function, as lists of their nodes."""

    def run_visibly(sql, params):
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.rowcount, cursor.fetchall() if cursor.description else []

    for module in (claiming, finishing, recording):
        monkeypatch.setattr(module, "run_prepared", run_visibly)

    def nodes(ask):
        found = []

        def explain(execute, sql, params, many, context):
            execute(f"EXPLAIN (FORMAT JSON) {sql}", params, many, context)
            [(plan,)] = context["cursor"].fetchall()
            found.extend(_within((plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(explain):
            ask()
        return found

    return nodes


def _within(node):
    yield node
    for inner in node.get("Plans", []):
        yield from _within(inner)


def _outcome(task_id):
    values = {"task_id": task_id, "status": "SUCCESS", "content_type": "application/json", "date_done": NOW}
    return Outcome(**{**dict.fromkeys(Outcome.COLUMNS), "content_encoding": "utf-8", **values})


def _entry():
    return ledger.Entry(Message("new", "tests.plans", "default", 5, None, {"headers": {}}), "", ring=True)


QUESTIONS = {
    "due": lambda: ledger.due(100),
    "orphans": lambda: ledger.orphans(100),
    "waiting": lambda: ledger.waiting({"default": 100, "io": 100}, NOW),
    "unheard": lambda: ledger.unheard("default", NOW, ["rung1"], 100),
    "lost": lambda: ledger.lost({"rung2", "rung4"}, NOW),
    "record": lambda: ledger.record([_entry()]),
    "claim": lambda: ledger.claim("rung1", task="tests.plans", retries=0, worker="", seconds=1),
    "finish": lambda: ledger.finish(ledger.Claim("running1", 0), _outcome("running1")),
    "unring": lambda: ledger.unring(["rung1"]),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_the_table_from_end_to_end(nodes, question):
    read = [node for node in nodes(QUESTIONS[question]) if node.get("Relation Name") == "jobs_job"]

    assert read or question == "record"
    assert [node["Node Type"] for node in read if node["Node Type"] in {"Seq Scan", "Sample Scan"}] == []


def test_what_waits_for_its_time_is_not_looked_at_before(nodes):
    read = [node for node in nodes(lambda: ledger.due(100)) if node.get("Index Name") == "job_due"]

    due = [node["Index Cond"] for node in read if "queue = " in node.get("Index Cond", "")]
    assert ["available_at" in condition for condition in due] == [True]
    # The others leap to the next queue.
    assert {node.get("Index Cond", "") for node in read} - set(due) <= {"", "(queue > queues.queue)"}


def test_a_question_without_an_index_is_noticed(nodes):
    read = nodes(lambda: statements.run("SELECT id FROM jobs_job WHERE error = 'something'"))

    assert [node["Node Type"] for node in read] == ["Seq Scan"]


def test_the_rows_of_tomorrow_are_left_alone_and_those_of_yesterday_rung(long_table):
    yesterday = NOW - timedelta(days=1)
    statements.run(
        "UPDATE jobs_job SET available_at = %s WHERE id IN ('tomorrow1', 'tomorrow2')", [yesterday]
    )

    assert sorted(message.id for message in ledger.due(100)) == ["tomorrow1", "tomorrow2"]
