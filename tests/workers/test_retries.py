import json

import pytest

from tests.workers import probes


def test_a_transient_error_is_tried_again_until_it_succeeds(shop, ended):
    row = ended(probes.flaky.delay("flaky", failures=2))

    assert (row.status, json.loads(row.result)) == ("SUCCESS", 2)
    assert shop.runs("flaky") == ["flaky"] * 3


def test_a_permanent_error_fails_at_once(shop, ended):
    row = ended(probes.refused.delay("refused"))

    assert row.status == "FAILURE"
    assert json.loads(row.result)["exc_type"] == "Permanent"
    assert json.loads(row.result)["exc_message"] == ["the card is declined"]
    assert shop.runs("refused") == ["refused"]


@pytest.mark.parametrize(
    ("task", "error"),
    [(probes.too_long, "SoftTimeLimitExceeded"), (probes.much_too_long, "TimeLimitExceeded")],
)
def test_a_task_that_takes_too_long_is_ended_and_not_tried_again(shop, ended, task, error):
    token = task.name.removeprefix("probes.")
    row = ended(task.delay(token))

    assert (row.status, json.loads(row.result)["exc_type"]) == ("FAILURE", error)
    assert shop.runs(token) == [token]
