"""Why is this job not running? One answer, for the command line, the admin and the API."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from proj.jobs.describing import STATES
from proj.jobs.facts import MOST_AHEAD, Facts, gather
from proj.jobs.models import Job, State

#: A dispatcher looks each second, twice before it acts. Longer than this, and there is none.
DISPATCHED_WITHIN = timedelta(seconds=10)


class Code(StrEnum):
    """The answers, for programs."""

    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    PAUSED = "paused"
    RATED = "rated"
    NOT_RUNG = "not_rung"
    BROKER_AWAY = "broker_away"
    NO_WORKER = "no_worker"
    BEHIND = "behind"
    RUNNING = "running"
    STOPPING = "stopping"
    ORPHANED = "orphaned"
    DEAD = "dead"
    FINISHED = "finished"
    UNKNOWN = "unknown"


class Explanation(NamedTuple):
    """An answer: for programs, and for people."""

    code: Code
    sentence: str


def why(job_id: str, *, ask_workers: bool = True, to_staff: bool = True) -> Explanation:
    """Say why a job is not running, or what it does or did instead.

    Args:
        job_id: the task's id.
        ask_workers: whether to ask the broker and the workers too, about a job that waits. They get a second to
            answer; without, the answer comes from the database alone.
        to_staff: whether it may name who has paused or slowed what, and why: that is not for customers.

    """
    return explain(gather(job_id, ask_workers=ask_workers), to_staff=to_staff)


def explain(facts: Facts, *, to_staff: bool = True) -> Explanation:
    """Turn facts into the answer. The same facts are always the same answer."""
    job = facts.job
    if job is None:
        return _explain_ended(facts)
    match job.state:
        case State.RUNNING:
            return _explain_running(job, facts)
        case State.DEAD:
            after = (
                f"after {job.attempt} attempt{'' if job.attempt == 1 else 's'}"
                if job.attempt
                else "and has never run"
            )
            return Explanation(
                Code.DEAD,
                f"It is dead {after}: {_full_stop(job.error)} It is kept as it was sent, and can be retried.",
            )
        case _:
            return _explain_queued(job, facts, to_staff=to_staff)


def _explain_ended(facts: Facts) -> Explanation:
    result = facts.result
    if result is None:
        return Explanation(
            Code.UNKNOWN,
            "Nobody has heard of it: the id is wrong, the transaction that should have enqueued it was rolled back or "
            "is still open, or it ended so long ago that its result has expired.",
        )
    return Explanation(
        Code.FINISHED,
        f"It has ended: {STATES.get(result.status, result.status)}, {_ago(result.date_done, facts.now)}.",
    )


def _explain_running(job: Job, facts: Facts) -> Explanation:
    worker = job.worker or "a worker"
    if job.deadline is not None and job.deadline < facts.now:
        return Explanation(
            Code.ORPHANED,
            f"{worker} has not ended it by its deadline: it is set free within seconds.{_beat(job.deadline, facts)}",
        )
    if not facts.claimant_is_there:
        return Explanation(
            Code.ORPHANED,
            f"It was claimed by {worker}, which is gone: it is set free within seconds. If it is not, no beat is running.",
        )
    if job.cancel_requested:
        return Explanation(
            Code.STOPPING, f"It runs on {worker}, was asked to stop, and does at its next checkpoint."
        )
    since = f" since {_at(job.claimed_at)}" if job.claimed_at else ""
    limit = f", and has until {_at(job.deadline)}" if job.deadline else ""
    return Explanation(Code.RUNNING, f"It runs on {worker}{since}: attempt {job.attempt}{limit}.")


def _explain_queued(job: Job, facts: Facts, *, to_staff: bool) -> Explanation:
    failed = f"It has failed in passing ({job.error}) and" if job.error else "It"
    if facts.rate is not None:
        turn = f"{failed} waits for its turn, {_ahead_of(job.available_at, facts.now)}."
        limit = f" {facts.rate}, because: {_full_stop(facts.rate.reason)}" if to_staff else ""
        return Explanation(Code.RATED, turn + limit)
    if job.available_at > facts.now:
        code = Code.RETRYING if job.error else Code.SCHEDULED
        return Explanation(code, f"{failed} waits for its time: {_ahead_of(job.available_at, facts.now)}.")
    if facts.paused is not None:
        by, since, reason = facts.paused.by, _at(facts.paused.at), _full_stop(facts.paused.reason)
        whose = (
            f"which {by} has paused since {since}: {reason}"
            if to_staff
            else "which is paused for the moment."
        )
        return Explanation(Code.PAUSED, f"{failed} waits in {job.queue}, {whose}")
    if not facts.broker_is_there:
        return Explanation(
            Code.BROKER_AWAY, f"{failed} waits for the broker, which is away; it is safe meanwhile."
        )
    if job.published_at is None:
        return Explanation(
            Code.NOT_RUNG, f"{failed} is rung for within a second or two.{_beat(job.available_at, facts)}"
        )
    return _explain_rung(job, facts, failed)


def _explain_rung(job: Job, facts: Facts, failed: str) -> Explanation:
    if facts.consumed is not None and job.queue not in facts.consumed:
        return Explanation(
            Code.NO_WORKER, f"{failed} waits in {job.queue}, from which no worker takes anything."
        )
    if facts.ahead == 0:
        return Explanation(Code.BEHIND, f"{failed} is the next in {job.queue}.")
    count = f"more than {MOST_AHEAD:,}" if facts.ahead >= MOST_AHEAD else f"{facts.ahead:,}"
    others = "other" if facts.ahead == 1 else "others"
    return Explanation(Code.BEHIND, f"{failed} waits in {job.queue}, behind {count} {others}.")


def _beat(since: datetime, facts: Facts) -> str:
    if facts.now - since < DISPATCHED_WITHIN:
        return ""
    return f" It has been waiting for that since {_at(since)}: no beat is running."


def _full_stop(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _ago(moment: datetime, now: datetime) -> str:
    return f"{_length(now - moment)} ago, at {_at(moment)}"


def _ahead_of(moment: datetime, now: datetime) -> str:
    return f"{_at(moment)}, in {_length(moment - now)}"


def _length(span: timedelta) -> str:
    seconds = max(round(span.total_seconds()), 0)
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"
