import pytest

from proj.queues import PURPOSES
from tests.waiting import eventually
from tests.workers import probes


@pytest.mark.parametrize("queue", PURPOSES)
def test_each_queue_has_its_worker(shop, ended, queue):
    row = ended(probes.echo.apply_async(["here"], queue=queue))

    assert (row.status, row.worker) == ("SUCCESS", f"{queue}@test")


def test_a_task_finds_the_queue_of_its_definition(shop, ended):
    assert ended(probes.echo.delay("home")).worker == "default@test"
    assert ended(probes.child.delay("home")).worker == "bulk@test"


def test_urgent_messages_overtake_what_waits_in_their_queue(bare_shop):
    for number, priority in enumerate([9, 5, 0, 9, 5, 0, 3]):
        probes.echo.apply_async([f"{priority} {number}"], priority=priority)
    bare_shop.worker("one").wait_until_ready()
    eventually(lambda: len(bare_shop.runs("")) == 7, why="not all have run")

    # 5 is rounded down to 3: kombu keeps one list for each of 0, 3, 6 and 9.
    assert bare_shop.runs("") == ["0 2", "0 5", "5 1", "5 4", "3 6", "9 0", "9 3"]
