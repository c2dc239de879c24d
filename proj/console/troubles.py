"""What is wrong, in words, with what to do about it: the first thing that the dashboard says."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.contrib.admin.utils import quote
from django.urls import reverse

from proj.console import facts

if TYPE_CHECKING:
    from proj.console.dashboard import Dashboard

#: A job that is due and has waited for longer is worth a word: each queue has workers of its own.
SLOW = timedelta(minutes=5)
#: Lines of each kind on the page.
LINES = 5


class Trouble(NamedTuple):
    """Something that somebody should know."""

    level: str  # "bad": nothing goes on by itself; "warn": it may
    text: str
    url: str
    hint: str  # what to do about it


def judge(seen: "Dashboard") -> list[Trouble]:
    """Return what is wrong, the worst first."""
    troubles = [*_of_processes(seen), *_of_queues(seen), *_of_work(seen)]
    return sorted(troubles, key=lambda trouble: trouble.level)  # "bad" before "warn"


def _of_processes(seen: "Dashboard") -> list[Trouble]:
    found = []
    if not any(each.is_beat and not each.is_gone for each in seen.everybody):
        text = "No beat is running: no schedule runs, and nothing that was lost is rung for again."
        found.append(Trouble("bad", text, "#workers", "Start one: celery -A proj beat."))
    if any(queue.held is None for queue in seen.queues):
        text = "The broker does not answer: what is enqueued is safe, and waits."
        found.append(
            Trouble("bad", text, "#queues", "See to Redis. Once it answers, everything goes on by itself.")
        )
    gone = [each.hostname for each in seen.everybody if each.is_gone and not each.is_beat]
    if gone:
        text = f"{_these(gone)} {'has' if len(gone) == 1 else 'have'} not been heard of for a while."
        hint = "Their jobs go to others within seconds. If nobody has stopped them, their logs say why they went."
        found.append(Trouble("warn", text, "#workers", hint))
    return found


def _of_queues(seen: "Dashboard") -> list[Trouble]:
    found = []
    for queue in seen.queues:
        start = f"Start one: celery -A proj worker --queues={queue.name}."
        if queue.paused is not None:
            text = f"{queue.name} is paused by {queue.paused.by}: {queue.paused.reason.rstrip('.')}."
            told = ("warn", text, "When the reason is gone, resume it on its page.")
        elif queue.level == "bad":
            told = ("bad", f"Jobs wait in {queue.name}, and no worker takes from it.", start)
        elif not queue.consumers:
            told = ("warn", f"No worker takes from {queue.name}.", start)
        elif queue.level == "warn":
            text = f"Jobs in {queue.name} wait for longer than {SLOW.seconds // 60} minutes."
            told = (
                "warn",
                text,
                "Its page says what is in front. More workers would help, or a pause of what can wait.",
            )
        else:
            continue
        level, text, hint = told
        found.append(Trouble(level, text, reverse("admin:queue", args=[queue.name]), hint))
    return found


def _of_work(seen: "Dashboard") -> list[Trouble]:
    found = []
    for source, open_ones in seen.incidents.items():
        if open_ones:
            many = f"{LINES}+" if len(open_ones) > LINES else str(len(open_ones))
            text = f"{many} open in {source}: {open_ones[0].text}"
            found.append(Trouble("bad", text, "#incidents", "The page of each says what would mend it."))
    late = [line.name for line in seen.schedules or [] if line.late]
    if late:
        hint = "A beat enqueues each within two seconds: is one running, and what does its log say?"
        found.append(Trouble("bad", f"{_these(late)} should have run by now.", "#schedules", hint))
    for rate in seen.slowed:
        url = reverse("admin:jobs_taskrate_change", args=[quote(rate.pk)])
        text = f"Jobs wait for their turn: {rate}, because: {rate.reason.rstrip('.')}."
        found.append(Trouble("warn", text, url, "When the reason is gone, raise the rate or take it away."))
    if seen.dead.size:
        count = (
            f"{facts.MOST_DEAD_COUNTED:,} or more jobs are"
            if seen.dead.size >= facts.MOST_DEAD_COUNTED
            else ("1 job is" if seen.dead.size == 1 else f"{seen.dead.size:,} jobs are")
        )
        hint = "Of what, is below. Retry them when the cause is gone, or cancel them."
        found.append(Trouble("warn", f"{count} dead: failed for good, and kept.", "#dead", hint))
    return found


def _these(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
