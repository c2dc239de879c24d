"""The page of one queue: what it holds, here and in the broker, who works on it, and the switch."""

from typing import TYPE_CHECKING, Any

from celery import current_app
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from kombu.exceptions import OperationalError

from proj.console import facts
from proj.jobs import audit, pausing
from proj.jobs.broker import Broker, Held
from proj.jobs.models import Job
from proj.queues import PURPOSES

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

#: Messages that are shown: as many as somebody reads.
PEEKED = 20


class QueuePage:
    """The view; made once, with the site that it is a page of."""

    def __init__(self, site: "AdminSite") -> None:
        self.site = site

    def __call__(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show the queue; or pause or resume it, if that is what was sent."""
        if not request.user.has_perm("jobs.view_job"):
            raise PermissionDenied
        paused = pausing.paused().get(name)
        if name not in PURPOSES and paused is None:
            raise Http404(f"There is no queue {name}.")
        if request.method == "POST":
            return self.switch(request, name)
        try:
            held: list[tuple[Held, Job | None]] | None = _peek(name)
        except OperationalError:
            held = None
        context: dict[str, Any] = {
            **self.site.each_context(request),
            "title": f"Queue {name}",
            "name": name,
            "purpose": PURPOSES.get(name, "It is not in the settings any more."),
            "depth": facts.depths([name])[name],
            "paused": paused,
            "workers": [worker for worker in facts.attendants() if name in worker.queues],
            "held": held,
            "may_pause": request.user.has_perm("jobs.pause_queue"),
        }
        return TemplateResponse(request, "admin/console/queue.html", context)

    def switch(self, request: HttpRequest, name: str) -> HttpResponse:
        """Pause or resume, once for however many people press at once."""
        if not request.user.has_perm("jobs.pause_queue"):
            raise PermissionDenied
        reason = audit.why(request)
        by, here = audit.by(request), HttpResponseRedirect(reverse("admin:queue", args=[name]))
        match request.POST.get("switch"):
            case "pause" if not reason:
                messages.error(request, "Say why: somebody else will want to know.")
            case "pause":
                done = pausing.pause(name, by=by, reason=reason)
                text = (
                    f"Queue {name} is paused: workers let go of it within seconds."
                    if done
                    else f"Queue {name} was paused already."
                )
                messages.success(request, text)
            case "resume":
                done = pausing.resume(name, by=by, reason=reason)
                messages.success(
                    request, f"Queue {name} is resumed." if done else f"Queue {name} was not paused."
                )
            case _:
                messages.error(request, "Nothing was done: pause or resume?")
        return here


def _peek(name: str) -> list[tuple[Held, Job | None]]:
    """Return the next messages of a queue, each with the job that it is for, if that is still owed.

    Raises:
        kombu.exceptions.OperationalError: the broker does not answer.

    """
    held = Broker(current_app._get_current_object()).peek(name, PEEKED)  # type: ignore[attr-defined]  # noqa: SLF001
    owed = Job.objects.only("state", "attempt", "subject").in_bulk([message.id for message in held])
    return [(message, owed.get(message.id)) for message in held]
