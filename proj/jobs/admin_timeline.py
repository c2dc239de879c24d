"""The timeline of a job on its own page, and on that of its result."""

from django.http import HttpRequest
from django_celery_results.models import TaskResult

from proj.jobs import ledger
from proj.jobs.models import AuditEntry, Job
from proj.jobs.timeline import Moment, timeline

#: Of what people did to one job, the newest so many.
DEEDS = 50


def tell(request: HttpRequest, task_id: str, job: Job | None, result: TaskResult | None) -> list[Moment]:
    """Return what has happened to a job; what people did only to those who may look at the audit log."""
    may = request.user.has_perm("jobs.view_auditentry")
    deeds = AuditEntry.objects.filter(target=f"job:{task_id}").order_by("-id")[:DEEDS] if may else []
    return timeline(job, result, list(deeds), ledger.now())
