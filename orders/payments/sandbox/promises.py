"""What the provider will do by itself later: settle a payment or a refund. Kept in the books, so that it outlives it."""

import time

from orders.payments.sandbox.books import Books


def promise(books: Books, reference: str) -> None:
    """The payment intent or refund is settled `books.settle_after` seconds from now."""
    books.rows(
        "INSERT OR REPLACE INTO promises (due, reference) VALUES (?, ?)",
        time.time() + books.settle_after,
        reference,
    )


def release(books: Books, reference: str) -> None:
    """Nothing is to be settled any more."""
    books.rows("DELETE FROM promises WHERE reference = ?", reference)


def due(books: Books, now: float) -> list[str]:
    return [
        row["reference"] for row in books.rows("SELECT reference FROM promises WHERE due <= ? LIMIT 100", now)
    ]


def next_due(books: Books) -> float | None:
    """When the next one is due, in Unix seconds."""
    moment: float | None = books.rows("SELECT min(due) AS due FROM promises")[0]["due"]
    return moment
