"""The nightly clean-up: every registered purge, in bounded batches, until nothing expired is left or time is up."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from proj.jobs import retention as registry
from proj.jobs.retention import Purge
from reports import purges

logger = logging.getLogger(__name__)

# Measured on a million task results: 11,000 rows/s in batches of 100, 38,000 of 1,000, 56,000 of 20,000. A thousand is
# most of the speed, and its rows are locked for about 26 ms.
BATCH = 1_000
# Ten minutes a night; the rest waits for the next. Below the task's soft limit of 660 s with room for one batch.
BUDGET = timedelta(minutes=10)


@dataclass
class CleanUp:
    """What one run did.

    Attributes:
        deleted: how many things each purge deleted, by its name.
        failed: purges that raised; their error is in the log.
        unfinished: purges that time ran out for; they carry on the next night.
    """

    deleted: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {"deleted": self.deleted, "failed": self.failed, "unfinished": self.unfinished}


def everything() -> Mapping[str, Purge]:
    """Return all purges that any app has registered."""
    return registry.registered()


def results() -> Mapping[str, Purge]:
    """Return the purges of Celery's results, in the order they need."""
    registered = registry.registered()
    return {name: registered[name] for name in (purges.CHORDS, purges.RESULTS, purges.GROUPS)}


def run(pending: Mapping[str, Purge], *, budget: timedelta = BUDGET, batch: int = BATCH) -> CleanUp:
    """Run purges one batch each in turn, so that a mountain of one kind does not keep the others waiting.

    Args:
        pending: the purges to run, by name.
        budget: no batch is begun after this long.
        batch: at most so many things are deleted at a time.

    A purge that raises is logged and left for the next night; the others go on.
    """
    deadline = time.monotonic() + budget.total_seconds()
    now = timezone.now()
    done = CleanUp(deleted=dict.fromkeys(pending, 0))
    turns = dict(pending)
    while turns and time.monotonic() < deadline:
        for name, purge in list(turns.items()):
            if time.monotonic() >= deadline:
                break
            try:
                count = purge(batch, now)
            except Exception:
                logger.exception("The clean-up of %s failed; the next night tries again.", name)
                done.failed.append(name)
                del turns[name]
                continue
            done.deleted[name] += count
            if count < batch:
                del turns[name]
    done.unfinished = list(turns)
    logger.info("Clean-up: deleted %s; failed %s; unfinished %s.", done.deleted, done.failed, done.unfinished)
    return done
