"""A task that may begin only so often, with real workers and the bell that is rung once a second."""

from proj.jobs.models import TaskRate
from tests.workers.conftest import dispatching
from tests.workers.probes import echo

JOBS, RATE, BURST = 25, 5, 2


def test_all_run_once_and_no_more_begin_than_may(bare_shop, ended):
    TaskRate.objects.create(task="probes.echo", runs=RATE, per=1, reason="a test")
    jobs = [echo.delay(f"turn {number:02}") for number in range(JOBS)]
    for name in ("w1", "w2"):
        bare_shop.worker(name).wait_until_ready()

    with dispatching():
        begun = sorted(ended(job).date_started for job in jobs)

    assert sorted(bare_shop.runs("turn")) == [f"turn {number:02}" for number in range(JOBS)]
    # From any moment on, at most what the rate allows, and what may run ahead of it.
    for place, first in enumerate(begun):
        allowed = [RATE * (BURST + (moment - first).total_seconds()) + 1 for moment in begun[place:]]
        assert all(count <= most for count, most in enumerate(allowed))
    assert (begun[-1] - begun[0]).total_seconds() >= (JOBS - 1) / RATE - BURST
