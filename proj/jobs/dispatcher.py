"""The dispatcher: rings for what was not rung, and sets free what its worker left behind.

Every beat runs one, each second; any number may, because each takes only rows that nobody else has in hand. Idle,
it asks one question of a partial index for each of: due, running, and each queue.
"""

import logging
import time
from datetime import datetime
from typing import NamedTuple

from celery import Celery
from kombu.exceptions import OperationalError

from proj.jobs import bell, carrying_out, ledger, throughput
from proj.jobs.broker import Broker
from proj.jobs.errors import PoisonPill
from proj.jobs.ledger import Orphan
from proj.jobs.models import Job
from proj.jobs.pausing import paused
from proj.jobs.request import request_of
from proj.jobs.watch import AWAY, Watch

logger = logging.getLogger(__name__)

#: Jobs that are rung for in one tick: a second's work of the broker, and of the workers behind it.
BATCH = 2000
#: Up to so many messages in a queue the broker's count is compared with the ledger's each second (about 5 ms); a longer
#: backlog is compared when it has shrunk, or not at all while it is honest.
COMPARED = 20_000
#: Messages of each priority that are looked at when some are missing: a megabyte, and about 20 ms.
SEARCHED = 1000


class Unheard(NamedTuple):
    """What one look at a queue did not find in the broker."""

    ids: set[str]
    moment: datetime  # they were rung before


class Dispatcher:
    """Remembers what it saw a tick ago: nothing is done about what was seen only once."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.broker = Broker(app)
        self._watches = {name: Watch(logger, name, but=AWAY) for name in ("operations", "the throughput")}
        self._added_up = -throughput.EVERY
        self._orphans: set[tuple[str, int]] = set()
        self._unheard_before: dict[str, Unheard] = {}  # by queue

    def tick(self) -> None:
        """Look once at everything; about a second after the look before."""
        self.rescue_orphans()
        if not bell.is_silent():
            self.ring_due()
            try:
                self.ring_lost()
            except OperationalError as error:
                bell.note_absence(error)
            else:
                bell.note_presence()
        # Trouble with what people look at, or have begun, is no reason not to ring.
        with self._watches["operations"]:
            carrying_out.advance()
        with self._watches["the throughput"]:
            self.add_up()

    def add_up(self) -> None:
        """Add up what has ended lately, from time to time."""
        if time.monotonic() - self._added_up >= throughput.EVERY:
            self._added_up = time.monotonic()
            throughput.add_up()

    def rescue_orphans(self) -> int:
        """Set free the jobs whose claimants were gone at two looks in a row; bury those that are to blame."""
        found = ledger.orphans(BATCH)
        twice = [orphan for orphan in found if (orphan.id, orphan.attempt) in self._orphans]
        self._orphans = {(orphan.id, orphan.attempt) for orphan in found}
        poisonous = [orphan for orphan in twice if orphan.losses >= self._max_losses(orphan)]
        innocent = [orphan for orphan in twice if orphan not in poisonous]
        for orphan in poisonous:
            self._bury(orphan)
        if not innocent:
            return 0
        for orphan in innocent:
            logger.warning("%s[%s] has lost its worker %s", orphan.task, orphan.id, orphan.worker)
        return ledger.rescue(innocent)

    def ring_due(self) -> int:
        """Ring for the jobs whose time has come, and for those that were never rung."""
        messages = ledger.due(BATCH)
        if messages:
            bell.ring(messages)
        return len(messages)

    def ring_lost(self) -> int:
        """Ring again for what was lost: jobs that nobody has claimed, and whose messages were away at two looks in a row.

        At one look, a message may be in the hands of a worker that is about to claim its job. Counts are cheap, and say
        that something is missing; what it is takes a look at the messages.
        """
        unheard = self._unheard()
        rung = 0
        for queue in unheard.keys() & self._unheard_before.keys():
            ids, moment = self._unheard_before[queue]
            twice = ids & unheard[queue].ids
            messages = ledger.lost(twice, moment) if twice else []
            if messages:
                logger.warning("%d messages of queue %s were lost: rung again", len(messages), queue)
                bell.ring(messages)
            rung += len(messages)
        self._unheard_before = unheard
        return rung

    def _unheard(self) -> dict[str, Unheard]:
        """Look once, at each queue that holds fewer messages than it should.

        The broker is asked first: what is claimed between the two questions makes the ledger expect less, not more.
        """
        moment = ledger.now()
        ready = self.broker.count(self.app.amqp.queues)
        held = paused()
        limits = {
            queue: count + 1 for queue, count in ready.items() if count <= COMPARED and queue not in held
        }
        waiting = ledger.waiting(limits, moment)
        found = {}
        for queue in (queue for queue in limits if waiting[queue] > ready[queue]):
            upcoming = self.broker.next(queue, SEARCHED)
            limit = BATCH if upcoming.all else SEARCHED
            found[queue] = Unheard(ledger.unheard(queue, moment, upcoming.ids, limit), moment)
        return found

    def _max_losses(self, orphan: Orphan) -> int:
        return int(getattr(self.app.tasks.get(orphan.task), "max_losses", 3)) - 1

    def _bury(self, orphan: Orphan) -> None:
        job = Job.objects.filter(pk=orphan.id, attempt=orphan.attempt).first()
        if job is not None:
            error = PoisonPill(f"It took its worker with it {orphan.losses + 1} times.")
            logger.error("%s[%s] is buried: %s", orphan.task, orphan.id, error)
            self.app.backend.mark_as_failure(job.pk, error, request=request_of(job))
