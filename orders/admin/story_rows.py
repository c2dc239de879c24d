"""Rows of each kind as entries of an order's story."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Model
from django_celery_results.models import TaskResult

from orders.balance import read_balance
from orders.models import Notification, Order, OrderEvent
from orders.money import format_money
from orders.payments.models import AttemptState, EventState, Incident, RefundState, WebhookEvent
from orders.payments.models.attempt import OPEN
from orders.payments.models.refund import OPEN_REFUNDS
from proj.jobs.describing import describe_job, describe_result, state_of
from proj.jobs.models import AuditEntry, Job
from proj.jobs.selecting import Owed

#: Gives a row's own page, or nothing if the reader may not see it.
Link = Callable[[Model], str]


@dataclass(frozen=True)
class Entry:
    """One thing that happened, or is still to come."""

    at: datetime
    kind: str  # order, job, payment, refund, incident, mail, provider or staff
    what: str
    detail: str = ""
    by: str = ""
    url: str = ""  # its own page in the admin; empty if the reader may not see it
    look: str = ""  # "bad", "ahead" or nothing


def tell_events(events: Sequence[OrderEvent]) -> Iterator[Entry]:
    for event in events:
        moved = event.from_status and event.from_status != event.to_status
        what = f"{event.from_status} \N{RIGHTWARDS ARROW} {event.to_status}" if moved else event.kind
        yield Entry(event.created_at, "order", what, _pairs(event.detail), event.actor)


def tell_money(order: Order, link: Link) -> Iterator[Entry]:
    """Payments and refunds: when each was asked for, and when it had its outcome."""
    for attempt in order.payment_attempts.all():
        money, url = format_money(attempt.amount, attempt.currency), link(attempt)
        yield Entry(attempt.created_at, "payment", f"attempt {attempt.number}: {money} asked for", url=url)
        if attempt.state != AttemptState.SENT:
            detail = ", ".join(filter(None, (attempt.provider_ref, attempt.error_code, attempt.error_detail)))
            bad = (
                "" if attempt.state == AttemptState.SUCCEEDED else "ahead" if attempt.state in OPEN else "bad"
            )
            what = f"attempt {attempt.number}: {attempt.state}"
            yield Entry(attempt.updated_at, "payment", what, detail, url=url, look=bad)
    for refund in read_balance(order).refunds:
        money, url = format_money(refund.amount, refund.currency), link(refund)
        what = f"refund {refund.pk}: {money} to go back"
        yield Entry(refund.created_at, "refund", what, refund.reason, refund.requested_by, url)
        if refund.state != RefundState.REQUESTED:
            detail = ", ".join(filter(None, (refund.provider_ref, refund.error_code, refund.error_detail)))
            look = (
                "bad"
                if refund.state == RefundState.FAILED
                else "ahead"
                if refund.state in OPEN_REFUNDS
                else ""
            )
            yield Entry(
                refund.updated_at, "refund", f"refund {refund.pk}: {refund.state}", detail, url=url, look=look
            )


def tell_mails(mails: Sequence[Notification], link: Link) -> Iterator[Entry]:
    """A mail that nobody has begun to send has no time yet; its job is in the story."""
    for mail in mails:
        at = mail.sent_at or mail.claimed_at
        if at is not None:
            state = "sent" if mail.sent_at else "could not be sent" if mail.error else "being sent"
            detail = ", ".join(filter(None, (mail.recipient, mail.error)))
            look = "bad" if mail.error else ""
            yield Entry(at, "mail", f"{mail.get_kind_display()}: {state}", detail, url=link(mail), look=look)


def tell_hints(hints: Sequence[WebhookEvent], link: Link) -> Iterator[Entry]:
    for hint in hints:
        detail = ", ".join(filter(None, (hint.object_ref, hint.state, hint.detail)))
        look = "bad" if hint.state == EventState.FAILED else ""
        yield Entry(hint.received_at, "provider", hint.kind, detail, hint.provider, link(hint), look)


def tell_incidents(incidents: Sequence[Incident], link: Link) -> Iterator[Entry]:
    for each in incidents:
        kind, url = each.get_kind_display(), link(each)
        yield Entry(
            each.opened_at, "incident", kind, each.summary, url=url, look="bad" if each.is_open else ""
        )
        if each.closed_at is not None:
            yield Entry(each.closed_at, "incident", f"closed: {kind}", each.outcome, each.closed_by, url)


def tell_jobs(
    jobs: Sequence[Job], results: Sequence[TaskResult], now: datetime, link: Link
) -> Iterator[Entry]:
    """What is owed or dead from the ledger, what has ended from its result; a dead job has both and is told once."""
    ended = {result.task_id: result for result in results}
    for job in jobs:
        told, state = describe_job(job, now, ended.get(job.pk)), state_of(job, now)
        waits = job.available_at if state in {Owed.SCHEDULED, Owed.RETRYING} else None
        at = waits or told["finished_at"] or job.claimed_at or job.created_at
        look = "bad" if state == Owed.DEAD else "ahead"
        yield Entry(at, "job", f"{job.task}: {state}", _of_job(told), job.worker, link(job), look)
    owed = {job.pk for job in jobs}
    for result in results:
        if result.task_id not in owed:
            told = describe_result(result)
            look = "bad" if told["state"] == "failed" else ""
            what = f"{result.task_name}: {told['state']}"
            worker = result.worker or ""  # type: ignore[attr-defined]  # the package is untyped
            yield Entry(result.date_done, "job", what, _of_job(told), worker, link(result), look)


def tell_deeds(deeds: Sequence[AuditEntry], link: Link) -> Iterator[Entry]:
    """What people did, on the order and on what belongs to it."""
    for deed in deeds:
        changed = [
            f"{name}: {_pairs(value)}" for name, value in (("was", deed.before), ("is", deed.after)) if value
        ]
        detail = "; ".join(filter(None, (deed.reason, *changed)))
        yield Entry(deed.at, "staff", f"{deed.action} {deed.target}", detail, deed.actor, link(deed))


def _of_job(told: dict[str, object]) -> str:
    attempt = f"attempt {told['attempt']}" if told["attempt"] else ""
    return ", ".join(str(part) for part in (attempt, told["queue"], told["error"]) if part)


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
