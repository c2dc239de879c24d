from django.db import models
from django.db.models.functions import Now


class Chord(models.Model):
    """A chord whose body has not been enqueued yet."""

    id = models.TextField(primary_key=True)  # the group id of the header
    size = models.IntegerField(null=True)  # header tasks; null until Celery has counted them
    added = models.IntegerField(default=0)  # header tasks that joined while the chord ran
    done = models.IntegerField(default=0)
    # The tree of the header's results; null when it is only a list.
    structure = models.TextField(null=True)  # noqa: DJ001
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"chord {self.id}: {self.done} of {self.size}"


class ChordPart(models.Model):
    """The outcome of one header task, until the body takes it."""

    chord = models.ForeignKey(Chord, models.CASCADE, related_name="parts", db_index=False)
    task_id = models.TextField()
    position = models.FloatField(null=True)  # its place in the header; null: at the end
    outcome = models.TextField()  # [state, result], as the result backend encodes it

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chord", "task_id"], name="chord_part_once"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} of {self.chord_id}"
