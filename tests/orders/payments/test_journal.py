"""The books: what the code writes, and what the database refuses whoever writes it."""

import pytest
from django.db import IntegrityError, connection, transaction

from orders.payments.journal import book_capture, book_refund, book_refund_returned
from orders.payments.models import JournalEntry, Posting
from tests.factories import make_order

pytestmark = pytest.mark.django_db(transaction=True)


def postings() -> list[tuple[str, str, str, int]]:
    rows = Posting.objects.order_by("pk")
    return list(rows.values_list("entry__kind", "entry__provider_ref", "account", "amount"))


def write(order, *sides: tuple[str, int, str]) -> JournalEntry:
    entry = JournalEntry.objects.create(kind="capture", order=order, provider_ref="pi_1")
    for account, amount, currency in sides:
        Posting.objects.create(entry=entry, account=account, amount=amount, currency=currency)
    return entry


def test_what_is_taken_and_given_back_is_booked_on_both_sides():
    order = make_order()
    with transaction.atomic():
        assert book_capture(order, "pi_1", 500, "GBP") is True
        assert book_refund(order, "re_1", 200, "GBP") is True
        assert book_refund_returned(order, "re_1", 200, "GBP") is True
    assert postings() == [
        ("capture", "pi_1", "provider", 500),
        ("capture", "pi_1", "sales", -500),
        ("refund", "re_1", "refunds", 200),
        ("refund", "re_1", "provider", -200),
        ("refund", "re_1:returned", "refunds", -200),
        ("refund", "re_1:returned", "provider", 200),
    ]


def test_booking_again_changes_nothing():
    order = make_order()
    for expected in (True, False, False):
        with transaction.atomic():
            assert book_capture(order, "pi_1", 500, "GBP") is expected
            assert book_refund(order, "re_1", 200, "GBP") is expected
    assert len(postings()) == 4


def test_booking_the_same_at_the_same_moment_books_once(at_once):
    order = make_order()

    def book() -> bool:
        with transaction.atomic():
            return book_capture(order, "pi_1", 500, "GBP")

    assert sorted(at_once([book] * 10)) == [False] * 9 + [True]
    assert len(postings()) == 2


@pytest.mark.parametrize(
    "sides",
    [
        [("provider", 500, "GBP"), ("sales", -499, "GBP")],
        [("provider", 500, "GBP"), ("sales", -500, "USD")],
        [("provider", 500, "GBP")],
        [],
    ],
    ids=["sum", "currency", "one side", "no side"],
)
def test_the_database_refuses_an_entry_that_does_not_add_up(sides):
    order = make_order()
    with pytest.raises(IntegrityError, match="does not add up to zero"), transaction.atomic():
        write(order, *sides)
    assert JournalEntry.objects.count() == 0


def test_the_database_refuses_a_posting_that_unbalances_an_entry_later():
    order = make_order()
    with transaction.atomic():
        entry = write(order, ("provider", 500, "GBP"), ("sales", -500, "GBP"))
    with pytest.raises(IntegrityError, match="does not add up to zero"), transaction.atomic():
        Posting.objects.create(entry=entry, account="refunds", amount=1, currency="GBP")
    assert len(postings()) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments_posting SET amount = amount * 2",
        "UPDATE payments_journalentry SET provider_ref = 'pi_2'",
        "DELETE FROM payments_posting",
        "DELETE FROM payments_posting; DELETE FROM payments_journalentry",
    ],
)
def test_the_database_refuses_to_change_or_delete_what_is_booked(statement):
    order = make_order()
    with transaction.atomic():
        write(order, ("provider", 500, "GBP"), ("sales", -500, "GBP"))
    before = postings()
    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert postings() == before


def test_without_its_triggers_the_database_would_take_anything():
    """The guard off: the same statements, as they would be without migration 0003."""
    order = make_order()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # triggers do not fire
        write(order, ("provider", 500, "GBP"), ("sales", -499, "GBP"))
        cursor.execute("UPDATE payments_posting SET amount = 1")
    assert postings() == [("capture", "pi_1", "provider", 1), ("capture", "pi_1", "sales", 1)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM payments_posting; DELETE FROM payments_journalentry")
    assert JournalEntry.objects.count() == 0
