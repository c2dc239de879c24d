"""A task whose process dies runs again."""

import json
import os
import signal

from celery.result import AsyncResult

from tests.waiting import eventually
from tests.workers import probes


def test_a_task_whose_worker_is_killed_runs_again_on_another(bare_shop, ended, tmp_path):
    gate = tmp_path / "gate"
    doomed = bare_shop.worker("doomed").wait_until_ready()
    result = probes.until_free.delay("killed", str(gate))
    eventually(lambda: bare_shop.runs("killed"))
    doomed.kill()
    assert AsyncResult(result.id).state == "STARTED"
    bare_shop.beat()

    gate.touch()
    bare_shop.worker("heir").wait_until_ready()
    row = ended(result)

    assert (row.status, row.worker) == ("SUCCESS", "heir@test")
    assert len(bare_shop.runs("killed")) == 2
    eventually(lambda: not bare_shop.unfinished())


def test_a_task_whose_process_is_killed_runs_again_in_another(shop, ended, tmp_path):
    gate = tmp_path / "gate"
    result = probes.until_free.delay("lost", str(gate))
    first = eventually(lambda: shop.runs("lost"))[0]

    os.kill(int(first.split()[1]), signal.SIGKILL)
    eventually(lambda: len(shop.runs("lost")) == 2)
    gate.touch()
    row = ended(result)

    assert row.status == "SUCCESS"
    assert json.loads(row.result) != int(first.split()[1])
    assert len(shop.runs("lost")) == 2


def test_a_worker_that_is_told_to_stop_finishes_its_task_first(bare_shop, ended, tmp_path):
    gate = tmp_path / "gate"
    worker = bare_shop.worker("leaving").wait_until_ready()
    result = probes.until_free.delay("stopped", str(gate))
    eventually(lambda: bare_shop.runs("stopped"))

    worker.popen.terminate()
    eventually(lambda: worker.says("Warm shutdown") or worker.says("shutdown"))
    gate.touch()

    assert worker.popen.wait(20) == 0
    assert ended(result).status == "SUCCESS"
    assert len(bare_shop.runs("stopped")) == 1
    assert bare_shop.unfinished() == []
