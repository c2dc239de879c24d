"""A report that somebody asked for, and the days it is made of; an export of orders is one too, without days."""

import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, PermissionsMixin
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q
from django.urls import reverse


def private_storage() -> Storage:
    """Files of reports are never below a public path: a view checks who may read, then streams."""
    return storages["reports"]


class ReportQuerySet(models.QuerySet["Report"]):
    def unfinished(self) -> Self:
        """Those that still owe their reader a file or a reason."""
        return self.filter(status__in=Report.UNFINISHED)

    def stuck(self, since: datetime) -> Self:
        """Unfinished, and not moved since then. Locked; skips those that somebody else is looking at."""
        return self.unfinished().filter(updated_at__lt=since).select_for_update(skip_locked=True)

    def scheduled(self) -> Self:
        """The live ones that the schedule asked for: at most one for the same days."""
        return self.filter(owner__isnull=True).exclude(status__in=Report.ENDED_EARLY)

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Staff see every report, others their own. Customers' names are for staff who may look at orders, no one else."""
        if not getattr(user, "is_staff", False):
            return self.filter(owner_id=user.pk).exclude(kind=Report.Kind.ORDERS)
        may_see_orders = isinstance(user, PermissionsMixin) and user.has_perm("orders.view_order")
        return self.all() if may_see_orders else self.exclude(kind=Report.Kind.ORDERS)


class Report(models.Model):
    class Kind(models.TextChoices):
        DAILY_SALES = "daily_sales", "Daily sales"
        ORDERS = "orders", "Orders"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    UNFINISHED = (Status.QUEUED, Status.RUNNING)
    ENDED_EARLY = (Status.FAILED, Status.CANCELLED)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=32, choices=Kind.choices, default=Kind.DAILY_SALES)
    # An export of orders has the day on which it was asked for, twice.
    date_from = models.DateField("first day")
    date_to = models.DateField("last day", help_text="This day is part of the report.")
    selection = models.JSONField(
        default=dict, blank=True, help_text="Which orders, in the words of whoever asked."
    )
    as_of = models.DateTimeField(null=True, blank=True, help_text="The moment whose orders are in the file.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="reports",
        help_text="Empty for a report that the schedule asked for.",
    )
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.QUEUED)
    progress_done = models.PositiveIntegerField("done", default=0)
    progress_total = models.PositiveIntegerField("in all", default=0)
    step = models.CharField(max_length=32, blank=True)
    file = models.FileField(storage=private_storage, max_length=200, blank=True)
    rows = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(blank=True)
    task_id = models.CharField(max_length=255, blank=True, help_text="The task that writes the file.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, help_text="When the report last moved forward.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ReportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(date_from__lte=F("date_to")), name="report_days_in_order"),
            models.CheckConstraint(
                condition=Q(progress_done__lte=F("progress_total")), name="report_progress_within_total"
            ),
            models.CheckConstraint(
                condition=Q(status="ready", rows__isnull=False) & ~Q(file="")
                | ~Q(status="ready") & Q(file=""),
                name="report_ready_means_file",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("queued", "running"), finished_at__isnull=True)
                | Q(status__in=("ready", "failed", "cancelled"), finished_at__isnull=False),
                name="report_ended_means_finished_at",
            ),
            # What makes the schedule's report once a day, however often it is asked for. A failed one may be redone.
            models.UniqueConstraint(
                fields=["kind", "date_from", "date_to"],
                condition=Q(owner__isnull=True) & ~Q(status__in=("failed", "cancelled")),
                name="report_scheduled_once",
            ),
        ]
        indexes = [
            # The page and API of one person, newest first.
            models.Index(fields=["owner", "-created_at"], name="report_owner_newest"),
            # The sweep for stuck reports: a handful of rows whatever the history holds.
            models.Index(
                fields=["updated_at"], condition=Q(status__in=("queued", "running")), name="report_unfinished"
            ),
            # The nightly purge: oldest first.
            models.Index(fields=["created_at"], name="report_oldest"),
            # The jobs API finds the report of a task.
            models.Index(fields=["task_id"], name="report_task"),
        ]

    def __str__(self) -> str:
        if self.is_export:
            return f"Orders, {self.asked or 'all of them'}"
        return f"{self.get_kind_display()} {self.date_from} to {self.date_to}"

    def get_absolute_url(self) -> str:
        return reverse("reports:detail", args=[self.public_id])

    @property
    def is_finished(self) -> bool:
        return self.status not in self.UNFINISHED

    @property
    def is_ready(self) -> bool:
        return self.status == self.Status.READY

    @property
    def is_export(self) -> bool:
        """Whether it is of orders, not of days."""
        return self.kind == self.Kind.ORDERS

    @property
    def asked(self) -> str:
        """Which orders, as a part of a sentence; empty for all."""
        return ", ".join(f"{name} {text}" for name, text in self.selection.items())

    @property
    def counts(self) -> str:
        """What its progress counts."""
        return "orders written" if self.is_export else "days summed"

    def may_be_cancelled_by(self, user: AbstractBaseUser | AnonymousUser) -> bool:
        """Whether somebody may stop it: whoever asked for it, and staff who may change reports."""
        may_change = isinstance(user, PermissionsMixin) and user.has_perm("reports.change_report")
        return (self.owner_id is not None and self.owner_id == user.pk) or may_change

    @property
    def percent(self) -> int:
        """How far the work is, 0 to 100."""
        return self.progress_done * 100 // self.progress_total if self.progress_total else 0

    @property
    def file_name(self) -> str:
        """What the file is called on the reader's disk."""
        days = [self.date_from] if self.is_export else [self.date_from, self.date_to]
        return "-".join([self.kind.replace("_", "-"), *map(str, days)]) + ".csv"


class ReportDay(models.Model):
    """The sum of one day in one currency; written again with the same result if its task runs twice.

    A day without sales has one row too, without a currency: that is how a report knows the day was looked at.
    """

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    currency = models.CharField(max_length=3, blank=True)
    orders = models.PositiveIntegerField()
    items = models.PositiveBigIntegerField()
    amount = models.PositiveBigIntegerField(help_text="In minor units of the currency.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["report", "day", "currency"], name="report_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.currency}".strip()
