from django.db import models
from django.db.models.functions import Now


class PausedQueue(models.Model):
    """A queue of which nothing begins. No row: it is not paused. See :mod:`proj.jobs.pausing`."""

    queue = models.TextField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    by = models.TextField()
    reason = models.TextField()

    class Meta:
        default_permissions = ("view",)
        permissions = [("pause_queue", "Can pause and resume queues")]

    def __str__(self) -> str:
        return f"{self.queue}, paused by {self.by}: {self.reason}"
