"""What we know about money: asked for, taken, given back, told by the provider, and found to differ."""

from orders.payments.models.attempt import LIVE, OPEN, AttemptState, PaymentAttempt
from orders.payments.models.event import EventState, WebhookEvent
from orders.payments.models.incident import Incident, IncidentKind
from orders.payments.models.journal import Account, EntryKind, JournalEntry, Posting
from orders.payments.models.provider import Provider
from orders.payments.models.refund import OPEN_REFUNDS, Refund, RefundState

__all__ = [
    "LIVE",
    "OPEN",
    "OPEN_REFUNDS",
    "Account",
    "AttemptState",
    "EntryKind",
    "EventState",
    "Incident",
    "IncidentKind",
    "JournalEntry",
    "PaymentAttempt",
    "Posting",
    "Provider",
    "Refund",
    "RefundState",
    "WebhookEvent",
]
