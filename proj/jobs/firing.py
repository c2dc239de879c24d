"""What a beat does about one schedule whose slots are due: enqueue them or skip them, once among all beats."""

from datetime import datetime, timedelta
from typing import Any

from celery import Celery
from django.db import transaction
from django.db.models import F
from django_celery_beat.models import PeriodicTask

from proj.jobs import misfires
from proj.jobs.failpoints import failpoint
from proj.jobs.misfires import Choice, Range
from proj.jobs.models import Job, Overlap, SchedulePolicy, SkippedSlots, State
from proj.jobs.schedules import TIMINGS, decided_until, enqueue, job_id, policy_of, subject, timing_of
from proj.jobs.slots import Due


class Firing:
    """One look at one schedule, in one transaction, on its locked row."""

    def __init__(self, app: Celery, schedule: PeriodicTask, now: datetime) -> None:
        self.app, self.schedule, self.now = app, schedule, now
        self.policy = policy_of(schedule)
        self.decided = schedule.last_run_at  # the last slot that was decided about
        self.runs = 0

    def decide(self) -> None:
        """Enqueue or skip every slot that is due, and write down how far we have come."""
        schedule = self.schedule
        if not schedule.enabled:
            return
        self._release_waiting()
        expired = schedule.expires is not None and self.now >= schedule.expires
        until = schedule.expires - timedelta.resolution if expired else self.now
        due = timing_of(schedule).due(decided_until(schedule), until, misfires.kept(self.policy.catch_up))
        if due.size:
            choice = Choice(misfires.skipped_before(due, ()), ()) if expired else self._choose(due)
            if choice.skipped:
                reason = SkippedSlots.Reason.EXPIRED if expired else SkippedSlots.Reason.MISSED
                self._skip(choice.skipped, reason)
            for slot in choice.runs:
                self._run_unless_overlapping(slot)
        over = expired or (schedule.one_off and bool(self.runs or (due.size and schedule.clocked_id)))
        if due.size or self.runs or expired:
            self._write_down(over=over)

    def _choose(self, due: Due) -> Choice:
        policy = self.policy
        choice = misfires.choose(
            due,
            self.now,
            misfire=policy.misfire,
            missed_after=timedelta(seconds=policy.missed_after),
            limit=policy.catch_up,
        )
        if not self.schedule.one_off:
            return choice
        return Choice(misfires.skipped_before(due, choice.runs[-1:]), choice.runs[-1:])

    def _release_waiting(self) -> None:
        """Enqueue the slot that waited for the run before it, when that has ended."""
        slot = self.policy.waiting_slot
        if slot is not None and not (self.policy.overlap == Overlap.QUEUE and is_owed(self.schedule.pk)):
            self._enqueue(slot)
            self._set_waiting(None)

    def _run_unless_overlapping(self, slot: datetime) -> None:
        overlap = self.policy.overlap
        if overlap == Overlap.ALLOW or not is_owed(self.schedule.pk):
            self._enqueue(slot)
        elif overlap == Overlap.QUEUE and self.policy.waiting_slot is None:
            self._set_waiting(slot)
        else:
            self._skip(Range(slot, slot, 1), SkippedSlots.Reason.OVERLAP)
        self.decided = slot

    def _enqueue(self, slot: datetime) -> None:
        failpoint("slot")
        enqueue(self.app, self.schedule, job_id(self.schedule.pk, slot), slot=slot)
        failpoint("slot_enqueued")
        self.runs += 1

    def _skip(self, slots: Range, reason: SkippedSlots.Reason) -> None:
        """Record slots that are not run, as one with those before them that were skipped for the same reason."""
        known = SkippedSlots.objects.filter(periodic_task=self.schedule, reason=reason, last=self.decided)
        if not known.update(last=slots.last, size=F("size") + slots.size):
            SkippedSlots.objects.create(periodic_task=self.schedule, reason=reason, **slots._asdict())
        self.decided = slots.last

    def _set_waiting(self, slot: datetime | None) -> None:
        self.policy.waiting_slot = slot
        SchedulePolicy.objects.filter(pk=self.schedule.pk).update(waiting_slot=slot)

    def _write_down(self, *, over: bool) -> None:
        """Write what is the scheduler's to write, and nothing else: whatever an admin has edited stays."""
        changes: dict[str, Any] = {"last_run_at": self.decided}
        if self.runs:
            changes["total_run_count"] = F("total_run_count") + self.runs
        if over:
            changes["enabled"] = self.schedule.enabled = False
        PeriodicTask.objects.filter(pk=self.schedule.pk).update(**changes)
        self.schedule.last_run_at = self.decided


def fire(app: Celery, schedule_id: int, now: datetime) -> PeriodicTask | None:
    """Decide about the slots of a schedule that are due; return its row as it is then.

    Everything is read again from the locked row: another beat, or an admin, may have been here since the caller looked.
    None when somebody has it in hand at this moment, or when it is gone.

    Died before the commit: nothing has happened. Died after it: the jobs are recorded, and the dispatcher rings.
    """
    with transaction.atomic():
        rows = PeriodicTask.objects.select_related(*TIMINGS, "policy").filter(pk=schedule_id)
        schedule: PeriodicTask | None = rows.select_for_update(of=("self",), skip_locked=True).first()
        if schedule is not None:
            Firing(app, schedule, now).decide()
    return schedule


def is_owed(schedule_id: int) -> bool:
    """Whether a run of the schedule has not ended: it waits, runs, or is to be tried again."""
    return Job.objects.filter(subject=subject(schedule_id)).exclude(state=State.DEAD).exists()
