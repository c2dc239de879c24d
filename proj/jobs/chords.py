"""Chords that cannot lose or repeat their body: a header task counts in the transaction that ends it."""

import logging
from typing import Any

from celery import states
from celery.canvas import maybe_signature
from celery.exceptions import ChordError
from celery.result import GroupResult, allow_join_result, result_from_tuple
from django.db import transaction
from kombu.utils.json import dumps, loads

from proj.jobs.ledger.statements import count, run

logger = logging.getLogger(__name__)


class Chords:
    """The part of the result backend that knows chords.

    A job ends once (its row is deleted once), so its part is counted once. The chord's row is locked by the count, so the
    parts of a chord count one after the other, and exactly one of them sees that it is the last: it records the
    body, in the same transaction.
    """

    app: Any

    def apply_chord(self, header_result_args: Any, body: Any, **_: Any) -> None:  # noqa: ARG002  Celery's signature
        """Open a chord, before its header is sent. Keeps the header's tree of results when it is more than a list."""
        header = self.app.GroupResult(*header_result_args)
        is_tree = any(isinstance(result, GroupResult) for result in header.results)
        structure = dumps(header.as_tuple()) if is_tree else None
        run(
            "INSERT INTO jobs_chord (id, structure, added, done) VALUES (%s, %s, 0, 0) ON CONFLICT (id) DO NOTHING",
            [header.id, structure],
        )

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Note how many header tasks there are; Celery knows before it sends the last one."""
        run("UPDATE jobs_chord SET size = %s WHERE id = %s", [chord_size, group_id])

    def add_to_chord(self, chord_id: str, result: Any) -> None:  # noqa: ARG002  Celery's signature
        """Count one more header task, which joins from inside another."""
        run("UPDATE jobs_chord SET added = added + 1 WHERE id = %s", [chord_id])

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_: Any) -> None:
        """Count a header task that has ended; the last one enqueues the body, or fails it."""
        if not request.group or not request.id:
            return
        with transaction.atomic():
            if not self._add_part(request, state, result):
                return
            rows = run(
                """
                UPDATE jobs_chord SET done = done + 1 WHERE id = %s
                RETURNING done = size + added, structure
                """,
                [request.group],
            )
            is_last, structure = rows[0]
            if is_last:
                self._end_chord(request, structure)

    def _add_part(self, request: Any, state: str, result: Any) -> bool:
        """Store a part's outcome; False when the chord is over or has this part already."""
        outcome = dumps([state, self.encode_result(result, state)])  # type: ignore[attr-defined]
        return bool(
            count(
                """
                INSERT INTO jobs_chordpart (chord_id, task_id, position, outcome)
                SELECT id, %s, %s, %s FROM jobs_chord WHERE id = %s FOR UPDATE
                ON CONFLICT DO NOTHING
                """,
                [request.id, request.group_index, outcome, request.group],
            )
        )

    def _end_chord(self, request: Any, structure: str | None) -> None:
        body = maybe_signature(request.chord, app=self.app)
        parts = run(
            "SELECT task_id, outcome FROM jobs_chordpart WHERE chord_id = %s ORDER BY position NULLS LAST, id",
            [request.group],
        )
        run("DELETE FROM jobs_chordpart WHERE chord_id = %s", [request.group])
        run("DELETE FROM jobs_chord WHERE id = %s", [request.group])
        try:
            results = self._join(structure) if structure else [self._unpack(*part) for part in parts]
        except Exception as error:  # noqa: BLE001  whatever a header task raised
            failure = error if isinstance(error, ChordError) else ChordError(f"Join error: {error!r}")
            logger.warning("chord %s failed: %s", request.group, failure)
            self.chord_error_from_stack(body, failure)  # type: ignore[attr-defined]
            return
        body.delay(results)

    def _unpack(self, task_id: str, outcome: str) -> Any:
        state, result = loads(outcome)
        if state in states.EXCEPTION_STATES:
            result = self.exception_to_python(result)  # type: ignore[attr-defined]
        if state in states.PROPAGATE_STATES:
            raise ChordError(f"Dependency {task_id} raised {result!r}")
        return result

    def _join(self, structure: str) -> Any:
        header = result_from_tuple(loads(structure), app=self.app)
        header.on_ready()  # all parts are here: nothing to wait for
        with allow_join_result():
            return header.join(timeout=self.app.conf.result_chord_join_timeout, propagate=True)
