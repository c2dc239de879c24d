"""A shop with a provider, as the tests of reconciliation need it: orders that are paid in the ordinary way, and parts of
that way one by one.
"""

import json
from typing import Any

from django.db import transaction

from orders.models import Order
from orders.payments.charging import charge_order
from orders.payments.gate import gateway
from orders.payments.gateway import Payment
from orders.payments.journal import book_capture
from orders.payments.models import AttemptState, PaymentAttempt
from orders.states import Status
from proj.jobs.testing import drain
from tests.factories import make_order, make_product
from tests.sandbox import Sandbox


class Shop:
    """Orders of 10.00 GBP, for four pieces of a product."""

    def __init__(self, provider: Sandbox) -> None:
        self.provider = provider

    def reserved(self) -> Order:
        return make_order({make_product(on_hand=10, amount=250): 4}, status=Status.RESERVED)

    def paid(self) -> Order:
        """An order that was paid, fulfilled and completed."""
        order = self.reserved()
        charge_order(order.pk)
        drain()
        order.refresh_from_db()
        assert order.status == Status.COMPLETED
        return order

    def unanswered(self) -> tuple[PaymentAttempt, Payment]:
        """A charge that was captured, and whose answer was lost together with the job that waited for it."""
        order = self.reserved()
        attempt = self.asked(order)
        return attempt, self.charge(order, key=attempt.idempotency_key)

    def asked(self, order: Order) -> PaymentAttempt:
        with transaction.atomic():
            order.transition_to(Status.CHARGING, actor="payments")
        return PaymentAttempt.objects.create(
            order=order,
            number=1,
            idempotency_key=f"order-{order.public_id}-1",
            amount=order.amount,
            currency=order.currency,
            payment_method=order.payment_method,
            state=AttemptState.UNKNOWN,
        )

    def charge(self, order: Order | None, /, *, key: str, **metadata: str) -> Payment:
        """Capture 10.00 GBP at the provider, behind the shop's back."""
        named = {"order": str(order.public_id)} if order is not None else {}
        return gateway().charge(
            key=key,
            amount=1000,
            currency="GBP",
            payment_method="pm_card_visa",
            metadata={**named, **metadata},
        )

    def give_back(self, payment: str, amount: int, *, key: str, **metadata: str) -> str:
        """Refund at the provider, behind the shop's back; returns its id."""
        receipt = gateway().refund(key=key, payment=payment, amount=amount, currency="GBP", metadata=metadata)
        return receipt.reference

    def settle_quietly(self, attempt: PaymentAttempt, payment: Payment, *, booked: bool = True) -> None:
        """The attempt as captured, and booked or not; and nothing of what follows from it."""
        PaymentAttempt.objects.filter(pk=attempt.pk).update(
            state=AttemptState.SUCCEEDED, provider_ref=payment.reference
        )
        if booked:
            self.book(attempt.order, payment)

    def book(self, order: Order, payment: Payment) -> None:
        with transaction.atomic():
            book_capture(order, payment.reference, payment.amount, payment.currency)

    # Tables are named by the tests alone.
    def rewrite(self, table: str, reference: str, **fields: Any) -> None:
        """Change an object in the provider's books, in its columns and in what it shows."""
        [(body,)] = self.provider.read_books(f"SELECT body FROM {table} WHERE id = ?", reference)  # noqa: S608
        document = {**json.loads(body), **fields}
        self.provider.write_books(
            f"UPDATE {table} SET amount = ?, status = ?, body = ? WHERE id = ?",  # noqa: S608
            document["amount"],
            document["status"],
            json.dumps(document),
            reference,
        )

    def lose(self, table: str, reference: str) -> tuple[Any, ...]:
        """Take an object out of the provider's books; returns its row."""
        [row] = self.provider.read_books(f"SELECT * FROM {table} WHERE id = ?", reference)  # noqa: S608
        self.provider.write_books(f"DELETE FROM {table} WHERE id = ?", reference)  # noqa: S608
        return row

    def put_back(self, table: str, row: tuple[Any, ...]) -> None:
        holes = ", ".join("?" * len(row))
        self.provider.write_books(f"INSERT INTO {table} VALUES ({holes})", *row)  # noqa: S608
