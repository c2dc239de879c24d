"""Everything that has happened to an order, from whoever wrote it down, as one list: newest first.

A fixed number of queries, each by an index, whatever the order has been through.
"""

from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.db.models import Model
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult

from orders.admin import story_rows
from orders.admin.story_rows import Entry, Link
from orders.balance import read_balance
from orders.models import Order
from orders.payments.models import WebhookEvent
from proj.jobs.models import AuditEntry, Job, State

#: Of each kind the newest so many: an order has some ten of each, and a page has an end.
MOST = 100


@dataclass(frozen=True)
class Story:
    """`is_cut` says that some kind has more entries than are shown, `is_owed` that the ledger will still run one of its jobs."""

    entries: list[Entry]
    is_cut: bool
    is_owed: bool


def tell(order: Order, user: AbstractBaseUser | AnonymousUser) -> Story:
    """Return what has happened to an order, with links to what that person may see.

    Six queries, if its money (`ROWS`), incidents and steps were prefetched. Of the jobs of mails, refunds and the provider's
    events those are found that are owed or dead; what became of the others is told by the mail, the refund and the event
    themselves.
    """
    link, refunds = links_for(user), read_balance(order).refunds
    events = list(order.events.order_by("-pk")[:MOST])
    mails = list(order.notifications.order_by("-pk")[:MOST])
    incidents = sorted(order.incidents.all(), key=lambda each: each.pk, reverse=True)[:MOST]
    refs = [row.provider_ref for row in (*order.payment_attempts.all(), *refunds) if row.provider_ref]
    hints = list(WebhookEvent.objects.filter(object_ref__in=refs).defer("payload").order_by("-pk")[:MOST])
    own = f"order:{order.pk}"
    labels = [
        own,
        *(f"refund:{refund.pk}" for refund in refunds),
        *(f"notification:{mail.pk}" for mail in mails),
        *(f"event:{hint.pk}" for hint in hints),
    ]
    found = Job.objects.filter(subject__in=labels).defer("message").annotate(now=Now())
    jobs = list(found.order_by("-created_at")[:MOST])
    now = jobs[0].now if jobs else timezone.now()  # the ledger goes by the database's clock
    ids = {*(step.task_id for step in order.steps.all() if step.task_id), *(job.pk for job in jobs)}
    results = list(TaskResult.objects.filter(task_id__in=ids).order_by("-pk")[:MOST])
    targets = [
        *labels,
        *(f"incident:{each.pk}" for each in incidents),
        *(f"job:{each}" for each in sorted(ids)),
    ]
    deeds = list(AuditEntry.objects.filter(target__in=targets).order_by("-pk")[:MOST])
    entries = [
        *story_rows.tell_events(events),
        *story_rows.tell_money(order, link),
        *story_rows.tell_mails(mails, link),
        *story_rows.tell_hints(hints, link),
        *story_rows.tell_incidents(incidents, link),
        *story_rows.tell_jobs(jobs, results, now, link),
        *story_rows.tell_deeds(deeds, link),
    ]
    entries.sort(key=lambda entry: entry.at, reverse=True)
    read = (events, mails, incidents, hints, jobs, results, deeds)
    is_owed = any(job.subject == own and job.state != State.DEAD for job in jobs)
    return Story(entries, any(len(rows) >= MOST for rows in read), is_owed)


def links_for(user: AbstractBaseUser | AnonymousUser) -> Link:
    """Return a function that gives a row's page in the admin: a link that leads to a refusal is none."""

    def link(row: Model) -> str:
        label, name = row._meta.app_label, row._meta.model_name  # noqa: SLF001  documented in spite of its name
        may = isinstance(user, PermissionsMixin) and user.has_perm(f"{label}.view_{name}")
        return reverse(f"admin:{label}_{name}_change", args=[row.pk]) if may else ""

    return link
