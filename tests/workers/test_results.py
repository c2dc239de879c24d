import json

import pytest
from celery.result import AsyncResult

from tests.waiting import eventually
from tests.workers import probes


def test_a_task_runs_and_its_result_is_in_the_database(shop, ended):
    row = ended(probes.echo.delay("hello"))

    assert (row.task_name, row.status, json.loads(row.result)) == ("probes.echo", "SUCCESS", "hello")
    assert "hello" in row.task_args
    assert row.worker == "default@test"
    assert row.date_created <= row.date_started <= row.date_done
    assert shop.runs("hello") == ["hello"]


@pytest.mark.parametrize("words", ["probes.refused", "SUCCESS needle", "needle"])
def test_results_are_found_in_the_admins_search(shop, ended, admin_client, words):
    found = ended(probes.echo.delay("needle"))
    failed = ended(probes.refused.delay("a needle too"))

    page = admin_client.get("/admin/django_celery_results/taskresult/", {"q": words}).text

    assert (found.task_id in page) == (words != "probes.refused")
    assert (failed.task_id in page) == (words != "SUCCESS needle")


def test_progress_is_a_state_of_its_own_while_the_task_runs(shop, ended, tmp_path):
    gate = tmp_path / "gate"
    result = probes.steps.delay(str(gate))

    eventually(lambda: AsyncResult(result.id).state == "PROGRESS")
    assert AsyncResult(result.id).info == {"done": 1, "total": 2, "step": "halfway"}

    gate.touch()
    assert json.loads(ended(result).result) == "done"
