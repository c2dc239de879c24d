"""The state of background jobs, for whoever owns the work, and for staff, who also operate them."""

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django_celery_results.models import TaskResult
from ninja import Query, Router, Schema

from proj.api.describing import refused, shows
from proj.api.polling import look_again, revalidated
from proj.api.problems import Problem
from proj.api.text import Text
from proj.jobs import audit, describing, ledger, listing, operations, subjects
from proj.jobs.ledger import Cancelled
from proj.jobs.models import Job, State
from proj.jobs.subjects import Subject
from proj.jobs.why import why

router = Router(tags=["jobs"])


_JOB: dict[str, Any] = {
    "id": "8f14e45f-ceea-467f-9d6e-3c9c6b1d2a10",
    "task": "orders.charge_order",
    "state": "running",
    "queue": "io",
    "attempt": 1,
    "subject": "order:42",
    "progress": None,
    "error": None,
    "created_at": "2026-03-10T12:00:00Z",
    "started_at": "2026-03-10T12:00:01Z",
    "finished_at": None,
}


class Progress(Schema):
    done: int
    total: int
    step: str


class JobOut(Schema):
    model_config = shows(_JOB)

    id: str
    task: str | None
    state: str
    queue: str | None
    attempt: int | None
    subject: str | None
    progress: Progress | None
    error: str | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class OneJobOut(JobOut):
    model_config = shows(_JOB | {"why": "It runs on io@host since 12:00:01."})

    why: str


class JobPage(Schema):
    items: list[JobOut]
    next: str | None


class Asked(Schema):
    model_config = shows({"id": _JOB["id"], "answer": "cancelled"})

    id: str
    answer: str


class JobFilter(Schema):
    state: Text | None = None
    task: Text | None = None
    queue: Text | None = None
    subject: Text | None = None
    cursor: str | None = None
    limit: int = 50


NOT_THERE = "not_found: there is no such job, or it works for somebody else."


@router.get(
    "/jobs/{job_id}",
    response=OneJobOut,
    summary="The state of one job, and why it is not running",
    openapi_extra=refused({404: NOT_THERE}),
)
@revalidated
def read_job(request: HttpRequest, job_id: Text, response: HttpResponse) -> dict[str, Any]:
    """For the owner of what the job works on, and for staff; for anybody else there is no such job."""
    job, result, subject = _find(request, job_id)
    if job is not None:
        described = describing.describe_job(job, ledger.now(), result)
    elif result is not None:
        described = describing.describe_result(result)
    else:
        described = _NOT_YET | {"id": job_id}
    label = subject.label if subject is not None else described["subject"]
    # The workers are not asked: whoever polls would make each of them answer each time.
    answer = why(job_id, ask_workers=False, to_staff=request.user.is_staff)
    told = answer.sentence if job or result else "What comes before it has not ended."
    if described["state"] in _GOING_ON:
        look_again(response, described["created_at"] or timezone.now())
    return described | {"subject": label, "why": told}


@router.post(
    "/jobs/{job_id}/cancel",
    response={202: Asked},
    summary="Cancel a job",
    openapi_extra=refused({404: NOT_THERE, 409: "too_late: the job has ended."}),
)
def cancel_job(request: HttpRequest, job_id: Text) -> dict[str, str]:
    """Cancel a job that waits, or ask one that runs to stop at its next checkpoint; ``answer`` says which it was."""
    _, _, subject = _find(request, job_id)
    if not (_owns(request, subject) or _may_operate(request)):
        raise PermissionDenied("Only its owner and staff who may operate jobs cancel one.")
    answer = operations.cancel([job_id], by=audit.by(request, audit.API))[job_id]
    if answer == Cancelled.TOO_LATE:
        raise Problem(409, "too_late", "The job has ended.")
    return {"id": job_id, "answer": answer.value}


@router.post(
    "/jobs/{job_id}/retry",
    response={202: Asked},
    summary="Retry a dead job (staff)",
    openapi_extra=refused({404: NOT_THERE, 409: "not_dead: only a job that is dead can be retried."}),
)
def retry_job(request: HttpRequest, job_id: Text) -> dict[str, str]:
    """Put a dead job back in its queue, as it was sent; for staff who may operate jobs."""
    _find(request, job_id)
    if not _may_operate(request):
        raise PermissionDenied("Only staff who may operate jobs retry them.")
    if not operations.retry([job_id], by=audit.by(request, audit.API)):
        raise Problem(409, "not_dead", "Only a job that is dead can be retried.")
    return {"id": job_id, "answer": "queued"}


@router.get(
    "/jobs",
    response=JobPage,
    summary="Jobs, newest first (staff)",
    openapi_extra=refused({403: "forbidden: only staff may list jobs."}),
)
def list_jobs(request: HttpRequest, filters: Query[JobFilter]) -> dict[str, Any]:
    """What is owed or dead, newest first; after that what has ended, newest first.

    ``state``, ``task``, ``queue`` and ``subject`` narrow the list. What has ended has no queue any more.
    """
    if not request.user.is_staff:
        raise PermissionDenied("Only staff may list jobs.")
    wanted = listing.Wanted(filters.state, filters.task, filters.queue, filters.subject)
    return listing.page(wanted, filters.cursor, filters.limit)


#: States that come to an end by themselves.
_GOING_ON = {"scheduled", "queued", "running", "retrying"}
#: A task whose id is known already, and which is enqueued when its turn comes: the last step of a report.
_NOT_YET = dict.fromkeys(JobOut.model_fields) | {"state": "queued"}


def _find(request: HttpRequest, job_id: str) -> tuple[Job | None, TaskResult | None, Subject | None]:
    """Return what there is of a job, if the caller may see it.

    Raises:
        Http404: there is no such job, or it is somebody else's.
    """
    job = Job.objects.filter(pk=job_id).first()
    result = (
        TaskResult.objects.filter(task_id=job_id).first() if job is None or job.state == State.DEAD else None
    )
    label = job.subject if job is not None else describing.meta_of(result).get("subject") if result else ""
    subject = (subjects.resolve(label) if label else None) or subjects.find(job_id)
    if not (_owns(request, subject) or request.user.is_staff) or (
        job is None and result is None and subject is None
    ):
        raise Http404
    return job, result, subject


def _owns(request: HttpRequest, subject: Subject | None) -> bool:
    return subject is not None and subject.owner_id is not None and subject.owner_id == request.user.pk


def _may_operate(request: HttpRequest) -> bool:
    return request.user.is_staff and request.user.has_perm("jobs.operate_job")
