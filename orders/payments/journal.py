"""Writing the books. An entry is made in the transaction that stores what it is about, once for each provider's id."""

from orders.models import Order
from orders.payments.models import Account, EntryKind, JournalEntry, Posting


def book_capture(order: Order, reference: str, amount: int, currency: str) -> bool:
    """The provider has taken `amount` minor units for the payment `reference`. False if that is booked.

    Needs the transaction that says so: the database adds the entry up when it commits.
    """
    return _book(
        EntryKind.CAPTURE, order, reference, currency, {Account.PROVIDER: amount, Account.SALES: -amount}
    )


def book_refund(order: Order, reference: str, amount: int, currency: str) -> bool:
    """The provider has given `amount` minor units back by the refund `reference`. Otherwise as `book_capture`."""
    return _book(
        EntryKind.REFUND, order, reference, currency, {Account.REFUNDS: amount, Account.PROVIDER: -amount}
    )


def book_refund_returned(order: Order, reference: str, amount: int, currency: str) -> bool:
    """A refund that was booked did not arrive and came back: an entry of its own, since none is ever changed."""
    return book_refund(order, f"{reference}:returned", -amount, currency)


def _book(kind: EntryKind, order: Order, reference: str, currency: str, sides: dict[Account, int]) -> bool:
    entry, is_new = JournalEntry.objects.get_or_create(
        kind=kind, provider_ref=reference, defaults={"order": order}
    )
    if is_new:
        Posting.objects.bulk_create(
            Posting(entry=entry, account=account, amount=amount, currency=currency)
            for account, amount in sides.items()
        )
    return is_new
