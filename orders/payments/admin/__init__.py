"""The back office of payments: what was asked for, given back, told, booked and found to differ."""

from orders.payments.admin.attempt import PaymentAttemptAdmin
from orders.payments.admin.event import WebhookEventAdmin
from orders.payments.admin.incident import IncidentAdmin
from orders.payments.admin.journal import JournalEntryAdmin
from orders.payments.admin.provider import ProviderAdmin
from orders.payments.admin.refund import RefundAdmin

__all__ = [
    "IncidentAdmin",
    "JournalEntryAdmin",
    "PaymentAttemptAdmin",
    "ProviderAdmin",
    "RefundAdmin",
    "WebhookEventAdmin",
]
