"""What the job ledger still owes: an order or a refund with a job to come is on its way, and no difference."""

from collections.abc import Iterable

from django.db.models import CharField, Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Cast, Concat

from proj.jobs.models import Job, State


def owed_among(subjects: Iterable[str]) -> set[str]:
    """Those of `subjects`, such as "order:42", that a job is owed to; one query, or none for none."""
    wanted = sorted(set(subjects))
    return set(_owed().filter(subject__in=wanted).values_list("subject", flat=True)) if wanted else set()


def is_owed(kind: str, pk: str = "pk") -> Exists:
    """For each row of a query, whether a job is owed to the `kind` whose primary key is in the column `pk`."""
    subject = Concat(Value(f"{kind}:"), Cast(OuterRef(pk), CharField()))
    return Exists(_owed().filter(subject=subject))


def _owed() -> QuerySet[Job]:
    return Job.objects.exclude(state=State.DEAD)
