"""Whatever is asked for, lost, repeated, cancelled, given back and killed, in whatever order: three ledgers that agree."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar

import pytest
from celery import current_app
from celery.exceptions import WorkerTerminate
from django.db import connection, transaction
from django.test import Client
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

from orders import locks, services
from orders.errors import NothingToRefund, RefundTooLarge, TooLate
from orders.models import Order
from orders.payments.failpoints import POINTS
from orders.payments.models import PaymentAttempt
from orders.payments.reconciling import Window, reconcile
from orders.payments.refunds import request_refund
from orders.services import LineRequest
from proj.jobs import failpoints
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.ledger.statements import run
from proj.jobs.models import Job, State
from proj.jobs.task import JobTask
from proj.jobs.testing import drain, without_broker
from tests import ledgers
from tests.chaos.conftest import LONG
from tests.factories import make_product, make_user
from tests.orders.payments.faults import passing
from tests.sandbox import KEY, Sandbox, post_event

CARDS = (
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_settlesLater",
    "pm_card_pendingRefund",
)
FAULTS = ("drop_before", "drop_after", "error_before", "error_after", "rate_limit")
PATHS = ("^/v1/payment_intents$", "^/v1/payment_intents/", "^/v1/refunds", "")
SECONDS = (
    1,
    20,
    130,
    700,
)  # past a retry, past the next beat, past the grace of two minutes, past ten: never arrived
TABLES = "auth_user, orders_product, payments_incident, payments_provider, payments_webhookevent, jobs_job"
#: The provider's, in an order in which they may be emptied.
BOOKS = ("deliveries", "events", "promises", "refunds", "charges", "intents", "answers")


class Crash(WorkerTerminate):
    """What is armed: nothing that would have come after it happens in this process."""


class Shop(RuleBasedStateMachine):
    """Orders that are placed, paid, cancelled and given back, while answers get lost and processes die."""

    sandbox: ClassVar[Sandbox]
    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        run(f"TRUNCATE {TABLES} CASCADE")
        self.sandbox.set_faults([])
        for table in BOOKS:
            self.sandbox.write_books(f"DELETE FROM {table}")  # noqa: S608
        self.point = ""
        failpoints.arm(self.strike)

    def strike(self, point: str) -> None:
        if point == self.point:
            self.point = ""
            raise Crash

    def teardown(self) -> None:
        """The faults end, time passes, and everything must come to an end that all ledgers agree on."""
        try:
            self.point = ""
            self.sandbox.set_faults([])
            ended, _ = passing.settle(self.work, self.sandbox.books)
            assert ledgers.differences(self.sandbox.books) == []
            assert ended
            report = reconcile(Window.reaching_back(timedelta(days=1)), dry_run=True)
            assert report.open == 0, report
        finally:
            failpoints.arm(None)

    @initialize()
    def open_the_shop(self) -> None:
        self.customer = make_user("ann")
        make_product("TEA", on_hand=1000)

    @rule(target=orders, quantity=st.integers(1, 3), card=st.sampled_from(CARDS))
    def place(self, quantity, card):
        with without_broker():
            placed = services.place_order(self.customer, [LineRequest("TEA", quantity)], payment_method=card)
        return placed.order.pk

    @rule()
    def work_on_what_is_due(self):
        self.work([])

    @rule()
    def beat(self):
        self.work(list(passing.BEATS))

    @rule(seconds=st.sampled_from(SECONDS))
    def wait(self, seconds):
        passing.age(self.sandbox.books, seconds)

    @rule(fault=st.sampled_from(FAULTS), path=st.sampled_from(PATHS), times=st.integers(1, 3))
    def break_the_provider(self, fault, path, times):
        self.sandbox.set_faults([{"fault": fault, "path": path, "times": times}])

    @rule(point=st.sampled_from(POINTS))
    def crash_at(self, point):
        self.point = point

    @rule(which=st.integers(0, 30), times=st.integers(1, 3))
    def hear_of(self, which, times):
        """A webhook comes: any that there is, as often as it likes, in any order, however late."""
        events = self.sandbox.read_books("SELECT body FROM events ORDER BY number")
        if events:
            body = events[which % len(events)][0].encode()
            for _ in range(times):
                with self.dying(), without_broker():
                    assert post_event(Client(), body).status_code == 200

    @rule(order_id=orders)
    def cancel(self, order_id):
        with without_broker():
            try:
                services.cancel_order(order_id, actor="ann")
            except TooLate:
                assert Order.objects.get(pk=order_id).status in {
                    "fulfilled", "completed", "out_of_stock", "payment_failed", "refunded",
                }  # fmt: skip

    @rule(order_id=orders, share=st.sampled_from([0.3, 0.6, 1.0, 1.2]))
    def give_back(self, order_id, share):
        with without_broker(), transaction.atomic():
            order = locks.lock_order(order_id)
            left = sum(attempt.refundable for attempt in PaymentAttempt.objects.filter(order=order))
            amount = int(order.amount * share)
            try:
                request_refund(order, amount, reason="Broken.", actor="boss")
            except NothingToRefund:
                assert left == 0
            except RefundTooLarge:
                assert amount > left

    @invariant()
    def the_ledgers_agree_as_far_as_we_know(self):
        assert ledgers.differences(self.sandbox.books, at_rest=False) == []

    def work(self, tasks: Sequence[str]) -> None:
        """Be a worker, or several: whoever dies is replaced, after what is due."""
        with without_broker():
            for name in tasks:
                current_app.send_task(name)
        with self.dying():
            drain(limit=200)

    @contextmanager
    def dying(self) -> Iterator[None]:
        """If this process is to die here: lose the connection as it would, and set free what it had in hand."""
        try:
            yield
        except Crash:
            connection.close()
            dispatcher = Dispatcher(current_app)
            while Job.objects.filter(state=State.RUNNING).exists():
                dispatcher.rescue_orphans()


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(600)
def test_no_order_is_charged_twice_whatever_happens(sandbox, settings_of_payments):
    Shop.sandbox = sandbox
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=150 if LONG else 10,
            stateful_step_count=40 if LONG else 25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


@pytest.fixture
def settings_of_payments(sandbox, settings, monkeypatch):
    monkeypatch.setattr(JobTask, "max_losses", 1000)  # that its workers die is no fault of a job's here
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = KEY, sandbox.url
    settings.STRIPE_WEBHOOK_SECRETS = ["whsec_sandbox"]
