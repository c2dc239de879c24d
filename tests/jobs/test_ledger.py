"""The ledger's state machine, against a model of it: any verbs in any order, by any number of claimants, alive or not."""

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_celery_results.models import TaskResult
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from proj.jobs import ledger
from proj.jobs.ledger.statements import run
from proj.jobs.message import Message
from proj.jobs.models import Job
from proj.jobs.results import Outcome

ID, TASK = "the-job", "model.task"
HOUR = timedelta(hours=1)


def message(retries: int, *, later: bool = False) -> Message:
    return Message(
        id=ID,
        task=TASK,
        queue="default",
        priority=5,
        eta=timezone.now() + HOUR if later else None,
        content={
            "headers": {"id": ID, "task": TASK, "retries": retries},
            "properties": {},
            "body": "[[], {}, {}]",
        },
    )


def outcome(status: str) -> Outcome:
    values = dict.fromkeys(field.name for field in fields(Outcome))
    return Outcome(
        **values
        | {
            "task_id": ID,
            "status": status,
            "result": "null",
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "date_done": timezone.now(),
        }
    )


@dataclass
class Model:
    """What the ledger should hold about one job."""

    state: str | None = None  # None: there is no row
    result: str | None = None
    attempt: int = 0
    retries: int = 0
    losses: int = 0
    due: bool = True
    rung: bool = False
    cancelled: bool = False  # somebody wants it to stop
    alive: bool = False  # its claimant has its connection, and time left
    claims: list[ledger.Claim] = field(default_factory=list)  # all that there ever were

    def queue(self, *, due: bool = True, rung: bool = False) -> None:
        self.state, self.due, self.rung = "queued", due, rung

    def owns(self, claim: ledger.Claim) -> bool:
        return self.state == "running" and claim.attempt == self.attempt


class Machine:
    """Does to the ledger and to its model the same."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.begin()

    def begin(self) -> None:
        Job.objects.all().delete()
        TaskResult.objects.all().delete()
        self.model = Model()

    def record(self) -> None:
        model, later = self.model, self.draw(st.booleans())
        written = ledger.record([ledger.Entry(message(0, later=later), "", not later)])
        if model.state is None and model.result not in ("SUCCESS", "REVOKED"):
            model.attempt = 0
        elif model.state != "dead":
            assert written == {}
            if model.state is None:
                self.begin()  # it is over, and stays so: nothing is left to try with it
            return
        assert written == {ID: not later}
        model.queue(due=not later, rung=not later)
        model.retries, model.losses, model.cancelled = 0, 0, False

    def claim(self) -> None:
        model = self.model
        retries = model.retries - self.draw(st.sampled_from([0, 0, 0, 1, -1]))
        ask = {"task": TASK, "retries": retries, "worker": "w", "seconds": 30}
        if not (model.state == "queued" and model.due and model.retries == retries):
            with pytest.raises(ledger.NotOwed):
                ledger.claim(ID, **ask)
            return
        claim = ledger.claim(ID, **ask)
        model.attempt += 1
        model.state, model.alive = "running", True
        assert (claim.attempt, claim.unwanted) == (model.attempt, model.cancelled)
        model.claims.append(claim)

    def some_claim(self) -> ledger.Claim:
        """Return one of the last claims; of them only the latest may be anything but a zombie."""
        return self.draw(st.sampled_from(self.model.claims[::-1][:3]))

    def fenced(self, claim: ledger.Claim, write) -> bool:
        """Whether the ledger refuses a claimant, as it must all but the owner."""
        if self.model.owns(claim):
            write()
            return False
        with pytest.raises(ledger.Fenced):
            write()
        return True

    def finish(self) -> None:
        claim = self.some_claim()
        if not self.fenced(claim, lambda: ledger.finish(claim, outcome("SUCCESS"))):
            self.model.state, self.model.result = None, "SUCCESS"

    def retry(self) -> None:
        model, claim, later = self.model, self.some_claim(), self.draw(st.booleans())
        again = message(model.retries + 1, later=later)
        if not self.fenced(claim, lambda: ledger.retry(claim, again, error="busy", ring=not later)):
            model.queue(due=not later or model.cancelled, rung=not later)
            model.retries += 1

    def bury(self) -> None:
        claim = self.some_claim()
        if not self.fenced(claim, lambda: ledger.bury(claim, error="no")):
            self.model.state = "dead"

    def release(self) -> None:
        claim = self.some_claim()
        ledger.release(claim)
        if self.model.owns(claim):
            self.model.queue()

    def reassert(self) -> None:
        claim = self.some_claim()
        ledger.reassert(claim)
        if self.model.owns(claim):
            self.model.alive = True

    def disown(self) -> None:
        claim = self.some_claim()
        ledger.disown(claim)
        if self.model.owns(claim):
            self.model.alive = False

    def claimant_dies(self) -> None:
        run("UPDATE jobs_job SET claimed_by = -1 WHERE state = 'running'")
        self.model.alive = False

    def rescue(self) -> None:
        model, behind = self.model, self.draw(st.integers(0, 1))
        found = ledger.orphans(10)
        gone = model.state == "running" and not model.alive
        assert [(orphan.attempt, orphan.losses) for orphan in found] == (
            [(model.attempt, model.losses)] if gone else []
        )
        seen_before = [orphan._replace(attempt=orphan.attempt - behind) for orphan in found]
        assert ledger.rescue(seen_before) == (1 if gone and not behind else 0)
        if gone and not behind:
            model.queue()
            model.losses += 1

    def cancel(self) -> None:
        model = self.model
        answer = {"queued": "cancelled", "dead": "cancelled", "running": "stopping", None: "too late"}[
            model.state
        ]
        assert ledger.cancel(ID) == answer
        if answer == "cancelled":
            model.state, model.result = None, model.result if model.result == "SUCCESS" else "REVOKED"
        model.cancelled = model.state == "running"

    def replay(self) -> None:
        assert ledger.replay([ID]) == (self.model.state == "dead")
        if self.model.state == "dead":
            self.model.queue()
            self.model.retries, self.model.losses, self.model.cancelled = 0, 0, False

    def ring(self) -> None:
        model = self.model
        owed = model.state == "queued" and model.due and not model.rung
        assert [each.id for each in ledger.due(10)] == [ID] * owed
        model.rung = model.rung or owed

    def time_comes(self) -> None:
        run("UPDATE jobs_job SET available_at = clock_timestamp() WHERE state = 'queued'")
        self.model.due = True

    def check(self) -> None:
        """Compare the two."""
        model, job = self.model, Job.objects.filter(pk=ID).first()
        result = TaskResult.objects.filter(task_id=ID).first()
        assert (job.state if job else None, result.status if result else None) == (model.state, model.result)
        if job is not None:
            assert (job.attempt, job.losses, job.message["headers"]["retries"]) == (
                model.attempt,
                model.losses,
                model.retries,
            )
            assert job.cancel_requested == model.cancelled
            assert (job.published_at is not None) == model.rung or job.state != "queued"


#: What anybody may do at any time; what whoever has ever claimed the job may; and what leads on from each state, so that
#: jobs grow old: without it most would be cancelled before they are claimed twice.
ANYBODY = ("record", "claim", "claimant_dies", "rescue", "cancel", "replay", "ring", "time_comes")
CLAIMANTS = ("finish", "retry", "bury", "release", "reassert", "disown")
ONWARD = {
    None: ("record",),
    "queued": ("time_comes", "claim", "claim"),
    "running": ("claimant_dies", "rescue", "rescue", "release", "retry"),
    "dead": ("replay",),
}


# To explain a failure takes minutes here.
PHASES = [phase for phase in Phase if phase != Phase.explain]


@pytest.mark.django_db
@settings(
    max_examples=60, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_ledger_does_what_its_model_does(data):
    machine = Machine(data.draw)
    for _ in range(40):
        onward = ONWARD[machine.model.state]
        verbs = data.draw(
            st.sampled_from([onward, onward, ANYBODY, CLAIMANTS if machine.model.claims else onward])
        )
        getattr(machine, data.draw(st.sampled_from(verbs)))()
        machine.check()
