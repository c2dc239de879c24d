from django.db import models


class QueueMinute(models.Model):
    """What ended in one minute in one queue: added up from the results, see :mod:`proj.jobs.throughput`."""

    minute = models.DateTimeField()
    queue = models.TextField()
    succeeded = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["minute", "queue"], name="queue_minute_once")]

    def __str__(self) -> str:
        return f"{self.queue} at {self.minute}: {self.succeeded} and {self.failed}"
