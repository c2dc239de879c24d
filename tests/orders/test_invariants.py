"""Whatever happens to orders, in whatever order: what must always be true of stock, money and mail."""

from collections import Counter
from itertools import pairwise

import pytest
from django.core import mail
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from orders import services
from orders.balance import read_balance
from orders.errors import IdempotencyMismatch, IllegalTransition, RefundRefused, StockTooLow, TooLate
from orders.models import Notification, Order, OrderEvent, Product, Sale, StockItem
from orders.payments.gateway import RefundReceipt, RefundStatus
from orders.payments.models import AttemptState, Refund, RefundState
from orders.payments.refunding import settle_refund
from orders.services import LineRequest
from orders.states import CANCELLABLE, FINAL, HOLDS_STOCK, TRANSITIONS, Status
from tests.factories import make_payment, make_product, make_user

STEPS = (
    services.validate_order,
    services.reserve_stock,
    services.fulfil_order,
    services.notify_customer,
    services.record_sale,
)
SKUS = ("CUP", "POT", "TEA")
LINES = st.lists(
    st.tuples(st.sampled_from(SKUS), st.integers(1, 4)).map(lambda line: LineRequest(*line)),
    min_size=1,
    max_size=4,
)


class Shop(RuleBasedStateMachine):
    """Orders that are placed, moved, paid, declined, refunded, cancelled and abandoned, and a shelf that is counted."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        mail.outbox.clear()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    @initialize()
    def open_the_shop(self) -> None:
        self.customer = make_user()
        self.brought = Counter(dict.fromkeys(SKUS, 6))
        for sku in SKUS:
            make_product(sku, on_hand=6)

    @rule(target=orders, lines=LINES, key=st.none() | st.sampled_from(["a", "b"]))
    def place(self, lines, key):
        try:
            return services.place_order(self.customer, lines, idempotency_key=key).order.pk
        except IdempotencyMismatch:
            return Order.objects.get(idempotency_key__key=key).pk

    @rule(order_id=orders, step=st.sampled_from(STEPS))
    def run_a_step(self, order_id, step):
        before = Order.objects.get(pk=order_id).status
        after = step(order_id).status
        assert after == before or after in TRANSITIONS[Status(before)]

    @rule(order_id=orders)
    def run_every_step(self, order_id):
        for step in STEPS:
            step(order_id)

    @rule(order_id=orders)
    def start_charging(self, order_id):
        def start(order):
            order.transition_to(Status.CHARGING, actor="payments")
            if not order.payment_attempts.exists():
                make_payment(order, state=AttemptState.SENT)

        self.attempt(start, order_id)

    @rule(order_id=orders)
    def pay(self, order_id):
        def pay(order):
            order.payment_attempts.update(state=AttemptState.SUCCEEDED)
            services.mark_paid(order)

        self.attempt(pay, order_id)

    @rule(order_id=orders)
    def decline(self, order_id):
        def decline(order):
            order.payment_attempts.filter(state=AttemptState.SENT).update(state=AttemptState.DECLINED)
            services.mark_payment_failed(order, "Declined.")

        self.attempt(decline, order_id)

    @rule(order_id=orders, amount=st.integers(1, 3000))
    def give_money_back(self, order_id, amount):
        order = Order.objects.get(pk=order_id)
        before = read_balance(order)
        try:
            services.refund_order(
                order_id, amount, number=len(before.refunds) + 1, reason="Sorry.", actor="boss"
            )
        except RefundRefused:
            assert amount > before.left
        else:
            assert amount <= before.left

    @rule(order_id=orders)
    def ask_the_provider_to_give_back(self, order_id):
        for refund in Refund.objects.open().filter(attempt__order=order_id):
            receipt = RefundReceipt(
                f"re_{refund.pk}", "pi_1", RefundStatus.SUCCEEDED, refund.amount, refund.currency
            )
            for _ in range(2):
                settle_refund(refund.pk, receipt, via="reply")

    @rule(order_id=orders)
    def send_what_is_owed(self, order_id):
        for mail_id in Notification.objects.filter(order=order_id).values_list("pk", flat=True):
            for _ in range(2):
                services.send_notification(mail_id)

    @rule(order_id=orders)
    def abandon(self, order_id):
        services.abandon_order(order_id, "A step failed.")

    @rule(order_id=orders)
    def cancel(self, order_id):
        try:
            services.cancel_order(order_id, actor="ann")
        except TooLate:
            assert Order.objects.get(pk=order_id).status not in CANCELLABLE | {Status.CANCELLED}

    @rule(sku=st.sampled_from(SKUS), on_hand=st.integers(0, 12))
    def count_the_shelf(self, sku, on_hand):
        stock = StockItem.objects.get(product__sku=sku)
        try:
            services.set_on_hand(Product.objects.get(sku=sku), on_hand)
        except StockTooLow:
            assert on_hand < stock.reserved
        else:
            self.brought[sku] += on_hand - stock.on_hand

    def attempt(self, change, order_id) -> None:
        """Make a change that the order's table may refuse."""
        order = Order.objects.get(pk=order_id)
        try:
            with transaction.atomic():
                change(order)
        except IllegalTransition:
            assert Order.objects.get(pk=order_id).status == order.status

    def pieces(self, *statuses) -> Counter:
        orders = Order.objects.filter(status__in=statuses)
        return Counter(dict(orders.values_list("lines__sku").annotate(Sum("lines__quantity")).order_by()))

    @invariant()
    def reserved_is_what_live_orders_hold(self):
        reserved = dict(StockItem.objects.values_list("product__sku", "reserved"))
        assert Counter(reserved) == self.pieces(*HOLDS_STOCK)

    @invariant()
    def nothing_is_sold_that_was_not_there(self):
        on_hand = Counter(dict(StockItem.objects.values_list("product__sku", "on_hand")))
        sold = Sale.objects.values_list("order", flat=True)
        refunded = Order.objects.filter(status=Status.REFUNDED, pk__in=sold)
        gone = Counter(dict(refunded.values_list("lines__sku").annotate(Sum("lines__quantity")).order_by()))
        assert on_hand + self.pieces(Status.FULFILLED, Status.COMPLETED) + gone == +self.brought

    @invariant()
    def the_history_is_the_tables(self):
        for order in Order.objects.prefetch_related("events"):
            # What moved no status is a note; the first, that the order was placed, came from nowhere.
            events = [event for event in order.events.all() if event.from_status or event.kind == "placed"]
            path = [event.to_status for event in events]
            assert path[0] == Status.PLACED
            assert path[-1] == order.status
            assert all(later in TRANSITIONS[Status(earlier)] for earlier, later in pairwise(path))

    @invariant()
    def a_complete_order_is_in_the_books_and_its_customer_knows(self):
        completed = set(OrderEvent.objects.filter(kind="completed").values_list("order", flat=True))
        recorded = set(Sale.objects.values_list("order", flat=True))
        told = set(Notification.objects.settled().filter(kind="fulfilled").values_list("order", flat=True))
        assert completed == recorded & told

    @invariant()
    def each_event_is_told_once(self):
        ids = [message.extra_headers["Message-ID"] for message in mail.outbox]
        assert len(ids) == len(set(ids)) == Notification.objects.settled().count()
        events = Counter(OrderEvent.objects.values_list("kind", flat=True))
        owed = Counter(Notification.objects.values_list("kind", flat=True))
        assert (owed["paid"], owed["payment_failed"]) == (events["paid"], events["payment_failed"])
        assert owed["refunded"] == Refund.objects.filter(state=RefundState.SUCCEEDED).count()

    @invariant()
    def no_more_goes_back_than_was_captured_and_all_of_a_cancelled_orders_money_does(self):
        for order in Order.objects.prefetch_related("payment_attempts__refunds"):
            balance = read_balance(order)
            assert 0 <= balance.left <= balance.captured <= order.amount
            assert sum(payment.refunded for payment in order.payment_attempts.all()) == (
                balance.returned + balance.returning
            )
            if order.status == Status.CANCELLED:
                assert balance.left == 0
            if order.status == Status.REFUNDED:
                assert balance.returned == balance.captured > 0

    @invariant()
    def a_finished_order_has_no_step_waiting(self):
        early = Order.objects.filter(status__in=FINAL - {Status.COMPLETED, Status.REFUNDED})
        assert not early.filter(steps__state__in=["queued", "running", "retrying"]).exists()


@pytest.mark.django_db
def test_stock_money_and_mail_agree_whatever_happens():
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    assert not OrderEvent.objects.exists()
