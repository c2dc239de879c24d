"""What may be done to jobs in the admin: what will happen, in words and figures, and then in deed."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from proj.jobs.admin_list import meant_by
from proj.jobs.carrying_out import FASTEST, Order, among
from proj.jobs.models import Job, State
from proj.jobs.selecting import BATCH, Selection

#: Jobs that are done at once, in the request that asks for it: one bite. More of them are an operation that the beats carry out.
AT_ONCE = BATCH
#: Jobs that the preview names, and kinds of jobs; kinds are counted among so many, the newest.
SAMPLE, KINDS, LOOKED_AT = 10, 8, 2_000


@dataclass(frozen=True)
class Action:
    """One thing to do to many jobs."""

    name: str
    kind: str  # what those are called that it can be done to
    consequence: str  # what will happen, for the person who is asked


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(
            "retry",
            "dead",
            "They are put back in their queues as they were sent, and run from their first try. Whatever they did before "
            "they failed, they may do again.",
        ),
        Action(
            "cancel",
            "owed",
            "Those that wait, and those that are dead, are gone for good. Those that run are asked to stop, and do at their "
            "next checkpoint.",
        ),
        Action(
            "bury",
            "waiting",
            "They fail now, without having run, and what follows from a failure follows. They are kept as dead and can be "
            "retried.",
        ),
    )
}


class OperationForm(forms.Form):
    """What the person is asked beside yes or no."""

    reason = forms.CharField(
        max_length=200,
        strip=True,
        help_text="For whoever wonders later.",
    )
    per_second = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=FASTEST,
        label="Jobs a second",
        help_text=f"At most, up to {FASTEST}. Empty: as fast as it goes.",
    )
    most_dead = forms.IntegerField(
        required=False,
        min_value=1,
        label="Stop by itself when so many are dead again",
        help_text="A few a second, and stop at 5, say: then a cause that is still there costs little.",
    )
    terminate = forms.BooleanField(required=False, label="Kill the processes of those that run")

    def __init__(self, action: Action, count: int, data: Any = None) -> None:
        super().__init__(data)
        if action.name == "bury":
            self.fields["reason"].help_text = "For whoever wonders later: it becomes their error."
        if count <= 1:
            del self.fields["per_second"]
        if count <= 1 or action.name != "retry":
            del self.fields["most_dead"]
        if action.name != "cancel":
            del self.fields["terminate"]


def selected(request: HttpRequest) -> Selection:
    """Return which jobs were ticked: those whose boxes were, or with "select all" everything that the list shows.

    Raises:
        ValueError: the list does not say.

    """
    if request.POST.get("select_across", "0") == "1":
        return meant_by(request.GET.dict())
    return Selection(ids=request.POST.getlist(ACTION_CHECKBOX_NAME))


def jobs_of(action: Action, selection: Selection) -> QuerySet[Job]:
    """Return the selected jobs to which it can be done."""
    return selection.jobs().filter(among(action.name, selection))


def possible_for(job: Job) -> list[str]:
    """Return what can be done to one job, which is what :func:`proj.jobs.carrying_out.among` takes of one that is named."""
    can = {"retry": job.state == State.DEAD, "cancel": True, "bury": job.state == State.QUEUED}
    return [name for name in ACTIONS if can[name]]


def preview(action: Action, selection: Selection) -> dict[str, Any]:
    """Return how many jobs it would be done to, of which kinds, and some of them."""
    jobs = jobs_of(action, selection)
    newest = jobs.values("pk")[:LOOKED_AT]
    kinds = Job.objects.filter(pk__in=newest).values("task", "queue", "state").annotate(count=Count("pk"))
    sample = list(jobs.only("pk", "task", "error", "created_at")[:SAMPLE])
    count = jobs.order_by().count()
    return {
        "count": count,
        "kinds": list(kinds.order_by("-count", "task")[:KINDS]),
        "looked_at": LOOKED_AT if count > LOOKED_AT else 0,
        "sample": sample,
        "others": count - len(sample),
    }


def order_of(action: Action, selection: Selection, count: int, said: Mapping[str, Any]) -> Order:
    """Return what was asked for."""
    order = Order(
        verb=action.name,
        selection=selection,
        reason=said.get("reason") or "",
        per_second=said.get("per_second") or FASTEST,
        expected=count,
        terminate=bool(said.get("terminate")),
        most_dead=said.get("most_dead"),
    )
    return Order(**{**order.__dict__, "command": command_for(order, is_paced=bool(said.get("per_second")))})


def command_for(order: Order, *, is_paced: bool = False) -> str:
    """Return the command line that does the same."""
    words = ["--yes"] if order.expected > 1 else []
    words += ["--per-second", str(order.per_second)] if is_paced else []
    words += ["--terminate"] if order.terminate else []
    words += ["--reason", order.reason or "..."]
    return f"manage.py jobs {order.verb} {order.selection.as_arguments()} {shlex.join(words)}"
