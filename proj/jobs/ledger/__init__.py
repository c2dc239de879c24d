"""The ledger: the only code that writes ``jobs_job``, each verb one statement or one transaction.

    record ──▶ queued ──claim──▶ running ──finish──▶ (gone; the result tells the rest)
                 ▲                  │
                 ├──retry, release──┤
                 ├──postpone────────┤
                 ├──rescue──────────┤            cancel: queued ──▶ (gone; result REVOKED)
                 └──replay── dead ◀─┴bury

Every write of a claimant is fenced by the number of its attempt: whoever lost the claim meanwhile changes nothing and
learns it (:class:`Fenced`).
"""

from proj.jobs.ledger.claiming import (
    Claim,
    Fenced,
    NotOwed,
    claim,
    current_claim,
    disown,
    hold,
    note,
    reassert,
)
from proj.jobs.ledger.finishing import bury, finish, postpone, release, retry
from proj.jobs.ledger.operating import (
    Cancelled,
    Dropped,
    amend,
    bury_queued,
    bury_unclaimed,
    cancel,
    cancel_each,
    cancel_was_requested,
    hasten,
    replay,
    revoke,
)
from proj.jobs.ledger.rating import book, unbook
from proj.jobs.ledger.recording import Entry, record, unring
from proj.jobs.ledger.ringing import Orphan, due, lost, now, orphans, rescue, unheard, waiting

__all__ = [
    "Cancelled",
    "Claim",
    "Dropped",
    "Entry",
    "Fenced",
    "NotOwed",
    "Orphan",
    "amend",
    "book",
    "bury",
    "bury_queued",
    "bury_unclaimed",
    "cancel",
    "cancel_each",
    "cancel_was_requested",
    "claim",
    "current_claim",
    "disown",
    "due",
    "finish",
    "hasten",
    "hold",
    "lost",
    "note",
    "now",
    "orphans",
    "postpone",
    "reassert",
    "record",
    "release",
    "replay",
    "rescue",
    "retry",
    "revoke",
    "unbook",
    "unheard",
    "unring",
    "waiting",
]
