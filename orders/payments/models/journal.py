"""The books: double entry, append-only. The database refuses what does not add up (migration 0003).

Every entry has postings whose sum is zero: what one account gains, another loses.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class EntryKind(models.TextChoices):
    CAPTURE = "capture"  # the provider has taken the customer's money
    REFUND = "refund"  # the provider has given money back


class Account(models.TextChoices):
    PROVIDER = "provider"  # an asset: what the provider holds for us
    SALES = "sales"  # income: what customers have paid (credits, so negative)
    REFUNDS = "refunds"  # what has been given back of it (debits, so positive)


class JournalEntry(models.Model):
    """Something that happened to money, once: the provider's id of it is unique for each kind."""

    kind = models.CharField(max_length=12, choices=EntryKind)
    order = models.ForeignKey("orders.Order", models.PROTECT, related_name="journal_entries")
    provider_ref = models.CharField(max_length=255, help_text="The provider's id, such as pi_... or re_...")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "journal entries"
        # Reconciliation asks for the entries of a span of time.
        indexes = [models.Index(fields=["created_at"], name="journal_created")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "provider_ref"], name="journal_booked_once"),
            models.CheckConstraint(condition=Q(kind__in=EntryKind.values), name="journal_kind_known"),
            models.CheckConstraint(condition=~Q(provider_ref=""), name="journal_provider_ref_given"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_ref}"


class Posting(models.Model):
    """One side of an entry. Debits are positive, credits negative."""

    entry = models.ForeignKey(JournalEntry, models.PROTECT, related_name="postings")
    account = models.CharField(max_length=12, choices=Account)
    amount = models.BigIntegerField(help_text="In the currency's minor unit; a credit is negative.")
    currency = models.CharField(max_length=3, help_text="ISO 4217.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "account"], name="posting_account_once_per_entry"),
            models.CheckConstraint(condition=Q(account__in=Account.values), name="posting_account_known"),
            models.CheckConstraint(condition=~Q(amount=0), name="posting_amount_not_zero"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="posting_currency_iso"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount} {self.currency}"
