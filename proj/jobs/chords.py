"""Chords that cannot lose or repeat their body: a header task counts in the transaction that ends it."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from celery import states
from celery.canvas import maybe_signature
from celery.exceptions import ChordError
from celery.result import GroupResult, result_from_tuple
from celery.utils.functional import _regen  # type: ignore[attr-defined]  # not in the stubs
from django.conf import settings
from django.db import transaction
from kombu.utils.json import dumps, loads

from proj.jobs import ledger
from proj.jobs.ledger.statements import count, run

logger = logging.getLogger(__name__)


class Chords:
    """The part of the result backend that knows chords.

    A job ends once (its row is deleted once), so its part is counted once. The chord's row is locked by the count, so the
    parts of a chord count one after the other, and exactly one of them sees that it is the last: it records the
    body, in the same transaction. A chord that failed is kept: when its failed parts are replayed and
    succeed, the body runs after all.
    """

    app: Any

    def apply_chord(self, header_result_args: Any, body: Any, **_: Any) -> None:  # noqa: ARG002  Celery's signature
        """Open a chord, before its header is sent. Keeps the header's tree of results when it is more than a list."""
        group_id, results = header_result_args
        structure = None
        # A header that is still being generated is a list: to look at it would be to generate all of it.
        if not isinstance(results, _regen):
            header = self.app.GroupResult(group_id, results)
            if any(isinstance(result, GroupResult) for result in header.results):
                structure = dumps(header.as_tuple())
        _write_with_next_step(
            "INSERT INTO jobs_chord (id, structure, added, done) VALUES (%s, %s, 0, 0) ON CONFLICT (id) DO NOTHING",
            [group_id, structure],
        )

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Note how many header tasks there are; Celery knows before it sends the last one."""
        _write_with_next_step("UPDATE jobs_chord SET size = %s WHERE id = %s", [chord_size, group_id])

    def add_to_chord(self, chord_id: str, result: Any) -> None:  # noqa: ARG002  Celery's signature
        """Count one more header task, which joins from inside another."""
        run("UPDATE jobs_chord SET added = added + 1 WHERE id = %s", [chord_id])

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_: Any) -> None:
        """Count a header task that has ended; the last one enqueues the body, or fails it."""
        if not request.group or not request.id:
            return
        with transaction.atomic():
            inserted = self._keep_part(request, state, result)
            if inserted is None:
                return
            [(is_last, structure)] = run(
                "UPDATE jobs_chord SET done = done + %s WHERE id = %s RETURNING done = size + added, structure",
                [int(inserted), request.group],
            )
            if is_last:
                self._end_chord(request, structure, again=not inserted)

    def _keep_part(self, request: Any, state: str, result: Any) -> bool | None:
        """Store a part's outcome; whether it is the first one. None when the chord is over or has this part already."""
        rows = run(
            """
            INSERT INTO jobs_chordpart (chord_id, task_id, position, outcome)
            SELECT id, %s, %s, %s FROM jobs_chord WHERE id = %s FOR UPDATE
            ON CONFLICT (chord_id, task_id) DO UPDATE SET outcome = excluded.outcome
             WHERE jobs_chordpart.outcome NOT LIKE '["SUCCESS"%%'
            RETURNING xmax = 0
            """,
            [
                request.id,
                request.group_index,
                dumps([state, self.encode_result(result, state)]),  # type: ignore[attr-defined]
                request.group,
            ],
        )
        return bool(rows[0][0]) if rows else None

    def _end_chord(self, request: Any, structure: str | None, *, again: bool) -> None:
        """Enqueue the body, or tell it that the header failed; only the first time, if parts of it are replayed."""
        parts = run(
            "SELECT task_id, outcome FROM jobs_chordpart WHERE chord_id = %s ORDER BY position NULLS LAST, id",
            [request.group],
        )
        body: Any = maybe_signature(request.chord, app=self.app)
        try:
            results = {task_id: self._unpack(task_id, *loads(outcome)) for task_id, outcome in parts}
        except ChordError as failure:
            if not again:
                logger.warning("chord %s failed: %s", request.group, failure)
                self.chord_error_from_stack(body, failure)  # type: ignore[attr-defined]
            return
        run("DELETE FROM jobs_chordpart WHERE chord_id = %s", [request.group])
        run("DELETE FROM jobs_chord WHERE id = %s", [request.group])
        if structure:
            body.delay(_arranged(result_from_tuple(loads(structure), app=self.app), results))
        else:
            body.delay(list(results.values()))

    def _unpack(self, task_id: str, state: str, result: Any) -> Any:
        if state in states.EXCEPTION_STATES:
            result = self.exception_to_python(result)  # type: ignore[attr-defined]
        if state in states.PROPAGATE_STATES:
            raise ChordError(f"Dependency {task_id} raised {result!r}") from result
        return result


def _write_with_next_step(sql: str, params: list[Any]) -> None:
    """Execute a statement now; or with the outcome of the running task, when it is of that task's next step."""
    claim = ledger.current_claim()
    if claim is not None and claim.holding:
        claim.held.append(partial(run, sql, params))
    else:
        run(sql, params)


def _arranged(node: Any, results: Mapping[str, Any]) -> Any:
    """Return the results of a header as its groups nest."""
    if isinstance(node, GroupResult):
        return [_arranged(child, results) for child in node.results or []]
    return results[node.id]


def purge(limit: int, now: datetime) -> int:
    """Delete chords that failed, or whose header never ended, as old as results that have expired."""
    return count(
        """
        WITH old AS (SELECT id FROM jobs_chord WHERE created_at < %s LIMIT %s),
           parts AS (DELETE FROM jobs_chordpart USING old WHERE chord_id = old.id)
        DELETE FROM jobs_chord USING old WHERE jobs_chord.id = old.id
        """,
        [now - settings.CELERY_RESULT_EXPIRES, limit],
    )
