"""Jobs that are revoked while real workers run them, or while none is there."""

import pytest
from celery.exceptions import TaskRevokedError

from proj.jobs.models import Job
from tests.waiting import eventually
from tests.workers.probes import echo, stoppable, until_free


def test_a_job_that_was_revoked_with_no_worker_there_is_not_run_by_one_that_starts(bare_shop):
    revoked, kept = echo.delay("revoked"), echo.delay("kept")

    revoked.revoke()
    bare_shop.worker("w1").wait_until_ready()

    assert kept.get(timeout=30) == "kept"
    with pytest.raises(TaskRevokedError):
        revoked.get(timeout=5)
    assert bare_shop.runs("revoked") == []


def test_a_running_job_is_killed_when_that_is_asked_for(shop, tmp_path):
    job = until_free.delay("killed", str(tmp_path / "gate"))
    eventually(lambda: shop.runs("killed"), why="the job did not begin")

    job.revoke(terminate=True)

    with pytest.raises(TaskRevokedError, match="terminated"):
        job.get(timeout=30)
    assert not Job.objects.exists()
    assert echo.delay("next").get(timeout=30) == "next"


def test_a_running_job_stops_at_its_next_checkpoint(shop):
    job = stoppable.delay("stops")
    eventually(lambda: shop.runs("stops"), why="the job did not begin")

    job.revoke()

    with pytest.raises(TaskRevokedError, match="cancelled"):
        job.get(timeout=30)
    assert not Job.objects.exists()
