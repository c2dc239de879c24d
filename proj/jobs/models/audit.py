"""Who did what to what, when and why. Rows are added and never changed: triggers of the database refuse."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

#: Where people do something themselves; whatever else there is, is done for them: "operation 12".
ADMIN, API, COMMAND_LINE = BY_HAND = ("admin", "API", "command line")


class AuditEntry(models.Model):
    """One thing that one person did. Written by :func:`proj.jobs.audit.record` alone, with the deed itself."""

    id: Any = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    # By number and by name, not by key: who leaves is deleted, what they did is not.
    actor_id = models.BigIntegerField(null=True)
    actor = models.TextField(help_text="The account; on the command line the user of the machine.")
    origin = models.TextField(help_text="Where it was done: the admin, the API, the command line.")
    action = models.TextField(help_text="Such as job.retry or queue.pause.")
    target = models.TextField(help_text="On what, such as job:ID, queue:bulk or schedule:7.")
    reason = models.TextField(blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["target", "-id"], name="audit_of_target"),
            models.Index(fields=["actor", "-id"], name="audit_of_actor"),
            models.Index(fields=["action", "-id"], name="audit_of_action"),
            models.Index(fields=["-at"], name="audit_newest"),
            # What people did themselves; not each job of what they have begun.
            models.Index(fields=["-id"], condition=Q(origin__in=BY_HAND), name="audit_by_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target}"
