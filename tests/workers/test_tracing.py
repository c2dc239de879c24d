import json
from collections.abc import Iterator
from typing import Any

from tests.factories import make_user
from tests.waiting import eventually
from tests.workers import probes


def lines_of_bulk(shop, **wanted: str) -> Iterator[dict[str, Any]]:
    """Yield the lines of the bulk worker's log that have these values."""
    bulk = next(process for process in shop.processes if process.log.name == "bulk.log")
    return (line for line in bulk.lines() if wanted.items() <= line.items())


def test_the_id_of_a_web_request_is_in_the_log_of_the_last_child_task(shop, client, caplog):
    client.force_login(make_user(is_staff=True, is_superuser=True))

    with caplog.at_level("INFO"):
        client.post("/reports/", {"first": "2026-01-01", "last": "2026-02-28"})
    request = next(record.msg["request_id"] for record in caplog.records if "request_id" in record.msg)

    def traced() -> set[str]:
        events = [line["event"] for line in lines_of_bulk(shop, request_id=request)]
        return {event.split("[")[0] for event in events if " succeeded in " in event}

    tasks = {"Task reports.start_report", "Task reports.sum_days", "Task reports.write_report"}
    eventually(lambda: traced() == tasks, why=f"request {request}")


def test_a_line_of_a_childs_log_leads_back_to_its_parent(shop, ended):
    row = ended(probes.parent.delay("family"))

    line = eventually(lambda: next(lines_of_bulk(shop, event="child", token="family"), None))

    assert (line["task_id"], line["parent_task_id"]) == (json.loads(row.result), row.task_id)
