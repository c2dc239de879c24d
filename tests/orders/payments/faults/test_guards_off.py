"""The negative controls: without the guard that it is about the same fault does harm, and the judge says so."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest
from django.db import connection

from orders.payments.models import PaymentAttempt, Refund
from tests import ledgers
from tests.chaos import report
from tests.orders.payments.faults.cases import Case, perform
from tests.orders.payments.faults.steps import make_paid

ROWS: list[tuple[object, ...]] = []


@pytest.fixture(scope="module", autouse=True)
def _table(request) -> Iterator[None]:
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        columns = ("without", "step", "fault", "charges", "verdict")
        sys.stdout.write("\n" + report.table("Payment faults, with a guard off", columns, ROWS) + "\n")


@pytest.mark.parametrize(
    "fault",
    ["409 in flight", "500 after", "answer lost", "too slow"],
    ids=lambda fault: fault.replace(" ", "_"),
)
def test_a_new_key_for_each_try_charges_twice_and_is_caught(world, fault):
    row = _without(world, "one key", Case("charge", fault))

    assert row.charges > 1
    assert any("was charged" in problem for problem in row.problems)


def test_without_telling_old_webhooks_from_new_ones_each_counts_again_and_is_caught(world):
    row = _without(world, "one event", Case("webhook", "ten times"))

    assert row.charges == 1  # that settling is done once is another guard
    assert any("was taken for 10" in problem for problem in row.problems)


def test_without_the_lock_an_order_is_cancelled_while_it_is_paid_and_is_caught(world):
    row = _without(world, "settle under lock", Case("charge", "cancelled meanwhile"))

    assert row.charges == 1
    assert row.refunds == 0
    # Whoever writes last has it: money is kept for a cancelled order, or one is paid whose stock was given back.
    assert any("is kept" in problem or "reserved" in problem for problem in row.problems)


@pytest.mark.parametrize("guards_off", [(), ("refund cap",)], ids=["guard_on", "guard_off"])
def test_two_who_give_all_of_it_back_at_once_do_so_once_unless_the_cap_is_off(world, guards_off):
    world.clear(*guards_off)
    order = make_paid(world)
    with _no_constraint() if guards_off else nullcontext():
        world.finish(*(world.start("ask_for_all_back", order_id=order.pk) for _ in range(2)))
        problems = ledgers.differences(world.sandbox.books, at_rest=False)
        asked = Refund.objects.filter(attempt__order=order).count()
        Refund.objects.all().delete()
        PaymentAttempt.objects.update(refunded=0)

    ROWS.append((*(guards_off or ("-",)), "refund", "asked for twice", 1, "; ".join(problems) or "agree"))
    assert asked == (2 if guards_off else 1)
    assert bool(problems) == bool(guards_off)


@contextmanager
def _no_constraint() -> Iterator[None]:
    [constraint] = [
        each for each in PaymentAttempt._meta.constraints if each.name == "payment_refunded_at_most_captured"
    ]
    with connection.schema_editor() as editor:
        editor.remove_constraint(PaymentAttempt, constraint)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.add_constraint(PaymentAttempt, constraint)


def _without(world, guard, case):
    world.clear(guard)
    row = perform(world, case)
    ROWS.append(
        (guard, case.step, case.fault, row.charges, "; ".join(row.problems)[:90] or "AGREE: proves nothing")
    )
    return row
