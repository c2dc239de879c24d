"""What may be done to jobs in the admin: what will happen, in words, and then in deed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from kombu.exceptions import OperationalError

from proj.jobs import operations
from proj.jobs.audit import Actor
from proj.jobs.ledger import Cancelled
from proj.jobs.models import Job, State

#: Jobs in one request: some 10 s of work. More of them are for the command line.
MOST = 10_000
_SAMPLE = 10


@dataclass(frozen=True)
class Action:
    """One thing to do to many jobs."""

    name: str
    among: Q  # which jobs it can be done to
    kind: str  # what these are called
    consequence: str  # what will happen, for the person who is asked
    # Ids, the form, and who sent it; counts in words.
    act: Callable[[Sequence[str], Mapping[str, Any], Actor], Mapping[str, int]]


def _retry(ids: Sequence[str], form: Mapping[str, Any], actor: Actor) -> Mapping[str, int]:
    return {"retried": operations.retry(ids, by=actor, reason=_reason(form))}


def _cancel(ids: Sequence[str], form: Mapping[str, Any], actor: Actor) -> Mapping[str, int]:
    answers = operations.cancel(ids, by=actor, reason=_reason(form))
    running = [job_id for job_id, answer in answers.items() if answer == Cancelled.STOPPING]
    counts = Counter(answer.value for answer in answers.values())
    if form.get("terminate") and running:
        try:
            operations.terminate(running)
        except OperationalError:
            counts["not told to the workers: the broker is away"] = len(running)
    return counts


def _bury(ids: Sequence[str], form: Mapping[str, Any], actor: Actor) -> Mapping[str, int]:
    return {"buried": operations.bury(ids, _reason(form) or "no reason was given", by=actor)}


def _reason(form: Mapping[str, Any]) -> str:
    return str(form.get("reason", "")).strip()


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(
            "retry",
            Q(state=State.DEAD),
            "dead",
            "They are put back in their queues as they were sent, and run from their first try. Whatever they did before "
            "they failed, they may do again.",
            _retry,
        ),
        Action(
            "cancel",
            Q(),
            "owed",
            "Those that wait, and those that are dead, are gone for good. Those that run are asked to stop, and do at their "
            "next checkpoint.",
            _cancel,
        ),
        Action(
            "bury",
            Q(state=State.QUEUED),
            "waiting",
            "They fail now, without having run, and what follows from a failure follows. They are kept as dead and can be "
            "retried.",
            _bury,
        ),
    )
}


def confirm(
    model_admin: "admin.ModelAdmin[Job]", request: HttpRequest, action: Action, chosen: Sequence[Job]
) -> HttpResponse | None:
    """Return the page that says how many jobs and what will happen; None, with a message, when that makes no sense."""
    if not chosen:
        model_admin.message_user(request, f"None of these is {action.kind}.", messages.WARNING)
        return None
    if len(chosen) > MOST:
        text = f"More than {MOST:,} jobs are for the command line: manage.py jobs {action.name} --help."
        model_admin.message_user(request, text, messages.ERROR)
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{action.name.capitalize()} {len(chosen):,} job{'' if len(chosen) == 1 else 's'}?",
        "action": action,
        "opts": model_admin.opts,
        "sample": chosen[:_SAMPLE],
        "others": len(chosen[_SAMPLE:]),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, "admin/jobs/job/confirm.html", context)
