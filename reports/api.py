"""Reports over HTTP: ask, follow, fetch the file."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Field, Query, Router, Schema
from pydantic import BeforeValidator

from proj.api.describing import refused, shows
from proj.api.idempotency import Made, idempotent
from proj.api.paging import paginate
from proj.api.polling import look_again, revalidated
from proj.api.problems import Problem
from proj.live.answers import DESCRIBED, follow
from reports import files, services
from reports.errors import ReportRefused
from reports.live import REPORT
from reports.models import Report

router = Router(tags=["reports"])


def iso_day(value: object) -> object:
    """Take a day as YYYY-MM-DD only: pydantic would also read numbers, as seconds since 1970."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        raise ValueError("a day is written YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(iso_day)]


_ASKED = {"kind": "daily_sales", "from": "2026-01-01", "to": "2026-01-31"}
_REPORT = {
    "id": "6f1c2a52-8f0c-4b5e-9d0a-0c3f1f0f7a11",
    **_ASKED,
    "status": "running",
    "progress": {"done": 12, "total": 31, "step": "adding up days"},
    "rows": None,
    "error": None,
    "file": None,
    "task_id": "8f14e45f-ceea-467f-9d6e-3c9c6b1d2a10",
    "created_at": "2026-03-10T12:00:00Z",
    "started_at": "2026-03-10T12:00:01Z",
    "finished_at": None,
}


class ReportIn(Schema):
    model_config = shows(_ASKED)

    kind: Literal["daily_sales"]
    first: Day = Field(alias="from", description="The first day.")
    last: Day = Field(alias="to", description="The last day; it is part of the report.")


class ProgressOut(Schema):
    done: int
    total: int
    step: str


class ReportOut(Schema):
    model_config = shows(_REPORT)

    id: UUID
    kind: str
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    status: Literal["queued", "running", "ready", "failed", "cancelled"]
    progress: ProgressOut
    rows: int | None
    error: str | None
    file: str | None
    task_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ReportPage(Schema):
    items: list[ReportOut]
    next: str | None


class ReportFilter(Schema):
    status: Literal["queued", "running", "ready", "failed", "cancelled"] | None = None
    cursor: str | None = None
    limit: int = 50


CSV = "day,currency,orders,items,amount\r\n2026-01-01,GBP,2,5,12.75\r\n"
NOT_THERE = "not_found: there is no such report, or the caller may not read it."


@router.post(
    "/reports",
    response={202: ReportOut},
    by_alias=True,
    openapi_extra=refused({403: "forbidden: reports are for staff who may add them."}),
)
@idempotent(ReportOut, by_alias=True)
def create_report(request: HttpRequest, payload: ReportIn) -> Made:
    """Accept a report; Location says where to follow it."""
    if not (request.user.is_staff and request.user.has_perm("reports.add_report")):
        raise Problem(403, "forbidden", "Reports are for staff who may add them.")
    try:
        report = services.request_report(request.user, payload.first, payload.last, kind=payload.kind)
    except ReportRefused as error:
        raise Problem(422, error.code, error.detail) from error
    return Made(serialize(report), reverse("api:read_report", args=[report.public_id]))


@router.get("/reports", response=ReportPage, by_alias=True)
def list_reports(request: HttpRequest, filters: Query[ReportFilter]) -> dict[str, Any]:
    """List the reports that the caller may read, newest first: staff all, others their own."""
    reports = Report.objects.visible_to(request.user)
    if filters.status is not None:
        reports = reports.filter(status=filters.status)
    return paginate(reports, filters.cursor, filters.limit, serialize)


@router.get(
    "/reports/{report_id}", response=ReportOut, by_alias=True, openapi_extra=refused({404: NOT_THERE})
)
@revalidated
def read_report(request: HttpRequest, report_id: UUID, response: HttpResponse) -> dict[str, Any]:
    """Return one report."""
    report = find(request, report_id)
    if report.finished_at is None:
        look_again(response, report.created_at)
    return serialize(report)


@router.get(
    "/reports/{report_id}/file",
    response={200: None},
    openapi_extra={
        "responses": {
            200: {"content": {"text/csv": {"schema": {"type": "string"}, "example": CSV}}},
            **refused(
                {404: NOT_THERE, 409: "not_ready: the report has no file; report_status says how far it is."}
            )["responses"],
        }
    },
)
def download_report(request: HttpRequest, report_id: UUID) -> HttpResponseBase:
    """Return the file as CSV, once the report is ready."""
    report = find(request, report_id)
    if not report.is_ready:
        raise Problem(
            409, "not_ready", f"The report is {report.status}; it has no file.", report_status=report.status
        )
    return files.download(report)


@router.get("/reports/{report_id}/events", response={200: None}, openapi_extra=DESCRIBED)
def follow_report(request: HttpRequest, report_id: UUID) -> HttpResponseBase:
    """Follow a report by server-sent events: each says that something has changed, and its status."""
    return follow(request, REPORT, find(request, report_id).pk, str(report_id))


def find(request: HttpRequest, report_id: UUID) -> Report:
    """Return the report if the caller may read it; otherwise it does not exist for them (404)."""
    return get_object_or_404(Report.objects.visible_to(request.user), public_id=report_id)


def serialize(report: Report) -> dict[str, Any]:
    """Return what clients read of a report."""
    file = reverse("api:download_report", args=[report.public_id]) if report.is_ready else None
    progress = {"done": report.progress_done, "total": report.progress_total, "step": report.step}
    return {
        "id": report.public_id,
        "kind": report.kind,
        "first": report.date_from,
        "last": report.date_to,
        "status": report.status,
        "progress": progress,
        "rows": report.rows,
        "error": report.error or None,
        "file": file,
        "task_id": report.task_id,
        "created_at": report.created_at,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
    }
