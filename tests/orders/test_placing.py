import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders import errors, services
from orders.models import IdempotencyKey, Order, OrderEvent, OrderLine, OrderStep, Product
from orders.services import LineRequest
from orders.states import Status, Step
from tests.factories import make_product, make_user

pytestmark = pytest.mark.django_db


def nothing_is_stored() -> bool:
    models = (Order, OrderLine, OrderStep, OrderEvent, IdempotencyKey)
    return not any(model.objects.exists() for model in models)


def test_an_order_keeps_what_was_asked_at_the_prices_of_that_moment():
    ann = make_user("ann")
    cup, pot = make_product("CUP", name="Cup", amount=250), make_product("POT", name="Pot", amount=1999)

    order, created = services.place_order(
        ann, [LineRequest("POT", 1), LineRequest("CUP", 3)], express=True, payment_method="pm_card_mastercard"
    )
    Product.objects.update(amount=1, name="Something else", active=False)

    order = Order.objects.get(pk=order.pk)
    assert created is True
    assert (order.customer, order.status, order.express, order.reason) == (ann, Status.PLACED, True, "")
    assert (order.amount, order.currency, order.payment_method) == (2749, "GBP", "pm_card_mastercard")
    assert list(order.lines.values_list("product_id", "sku", "name", "quantity", "amount")) == [
        (cup.pk, "CUP", "Cup", 3, 250),
        (pot.pk, "POT", "Pot", 1, 1999),
    ]
    assert list(order.steps.values_list("name", "state", "attempt")) == [(s.value, "queued", 0) for s in Step]
    assert list(order.events.values_list("kind", "from_status", "to_status", "actor")) == [
        ("placed", "", "placed", "ann")
    ]


def test_lines_with_the_same_sku_become_one():
    make_product("CUP", amount=250)

    order, _ = services.place_order(make_user(), [LineRequest("CUP", 2), LineRequest("CUP", 3)])

    assert list(order.lines.values_list("sku", "quantity")) == [("CUP", 5)]
    assert order.amount == 1250


def test_placing_takes_no_stock():
    cup = make_product(on_hand=1)

    services.place_order(make_user(), [LineRequest(cup.sku, 5)])

    cup.stock.refresh_from_db()
    assert (cup.stock.on_hand, cup.stock.reserved) == (1, 0)


@pytest.mark.parametrize(
    ("lines", "options", "error", "detail"),
    [
        ([], {}, errors.EmptyOrder, "An order needs at least one line."),
        ([("CUP", 0)], {}, errors.InvalidQuantity, "The quantity of CUP must be from 1 to 100000."),
        ([("CUP", -1)], {}, errors.InvalidQuantity, "The quantity of CUP must be from 1 to 100000."),
        ([("CUP", 100_001)], {}, errors.InvalidQuantity, "The quantity of CUP must be from 1 to 100000."),
        ([("CUP", 2**70)], {}, errors.InvalidQuantity, "The quantity of CUP must be from 1 to 100000."),
        (
            [("CUP", 100_000), ("CUP", 1)],
            {},
            errors.InvalidQuantity,
            "The quantity of CUP must be from 1 to 100000.",
        ),
        ([("CUP", 1), ("CAP", 1)], {}, errors.UnknownProduct, "There is no product CAP on sale."),
        ([("OLD", 1)], {}, errors.UnknownProduct, "There is no product OLD on sale."),
        ([("cup", 1)], {}, errors.UnknownProduct, "There is no product cup on sale."),
        ([("A\x00B", 1)], {}, errors.UnknownProduct, "There is no product A\x00B on sale."),
        ([("", 1)], {}, errors.UnknownProduct, "There is no product  on sale."),
        ([("CUP", 1), ("YEN", 1)], {}, errors.MixedCurrencies, None),
        ([("CAR", 2)], {}, errors.AmountTooLarge, "The order's total is more than one payment can take."),
        (
            [(f"S{n}", 1) for n in range(2001)],
            {},
            errors.TooManyLines,
            "An order may have at most 2000 lines.",
        ),
        ([("CUP", 1)], {"payment_method": "card"}, errors.InvalidPaymentMethod, None),
        ([("CUP", 1)], {"payment_method": "pm_x\n"}, errors.InvalidPaymentMethod, None),
        ([("CUP", 1)], {"payment_method": "pm_" + "x" * 61}, errors.InvalidPaymentMethod, None),
        ([("CUP", 1)], {"idempotency_key": ""}, errors.InvalidIdempotencyKey, None),
        ([("CUP", 1)], {"idempotency_key": "k" * 256}, errors.InvalidIdempotencyKey, None),
        ([("CUP", 1)], {"idempotency_key": "k\x00"}, errors.InvalidIdempotencyKey, None),
        ([("CUP", 1)], {"idempotency_key": "k\n"}, errors.InvalidIdempotencyKey, None),
        ([("CAP", 1)], {"idempotency_key": "k"}, errors.UnknownProduct, None),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_nothing_is_stored(lines, options, error, detail):
    ann = make_user()
    make_product("CUP")
    make_product("OLD", active=False)
    make_product("YEN", currency="JPY")
    make_product("CAR", amount=60_000_000)

    with pytest.raises(error) as refusal:
        services.place_order(ann, [LineRequest(*line) for line in lines], **options)

    assert isinstance(refusal.value, errors.OrderRefused)
    assert refusal.value.code != errors.OrderRefused.code
    assert detail is None or refusal.value.detail == detail
    assert nothing_is_stored()


def test_every_refusal_has_a_code_of_its_own():
    codes = [error.code for error in errors.OrderRefused.__subclasses__()]

    assert len(set(codes)) == len(codes)


@given(
    lines=st.lists(st.tuples(st.text(max_size=70), st.integers()), max_size=4),
    method=st.text(max_size=70),
    key=st.none() | st.text(max_size=300),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_is_either_refused_or_placed(lines, method, key):
    ann = make_user(f"ann-{uuid.uuid4()}")

    with pytest.raises(errors.OrderRefused):  # the catalogue is empty: nothing else is possible
        services.place_order(
            ann, [LineRequest(*line) for line in lines], payment_method=method, idempotency_key=key
        )


@pytest.mark.parametrize("count", [1, 50])
def test_placing_costs_the_same_queries_however_many_lines(count, django_assert_num_queries):
    ann = make_user()
    lines = [LineRequest(make_product().sku, 1) for _ in range(count)]

    with django_assert_num_queries(13):  # 2 for the transaction, 5 for the key, 6 for the order
        services.place_order(ann, lines, idempotency_key="k")
