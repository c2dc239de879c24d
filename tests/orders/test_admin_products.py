import pytest
from django.urls import reverse

from orders import services
from orders.models import Product, StockItem
from proj.jobs.models import AuditEntry
from tests.factories import make_product

pytestmark = pytest.mark.django_db


def messages_of(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def save_product(boss, product, **changes):
    fields = {"sku": product.sku, "name": product.name, "amount": 250, "currency": "GBP", "active": "on"}
    url = reverse("admin:orders_product_change", args=[product.pk])
    return boss.post(url, {**fields, "on_hand": product.stock.on_hand, **changes}, follow=True)


def test_a_new_product_gets_its_stock(boss):
    boss.post(
        reverse("admin:orders_product_add"),
        {"sku": "CUP", "name": "Cup", "amount": 250, "currency": "GBP", "active": "on", "on_hand": 7},
    )

    assert StockItem.objects.values_list("product__sku", "on_hand", "reserved").get() == ("CUP", 7, 0)


def test_stock_is_counted_in_the_admin(boss):
    cup = make_product(on_hand=10, reserved=4)

    save_product(boss, cup, on_hand=4, name="Mug")

    assert StockItem.objects.values_list("product__name", "on_hand", "reserved").get() == ("Mug", 4, 4)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("product.change", f"product:{cup.pk}")
    assert (entry.before["on_hand"], entry.after["on_hand"]) == (10, 4)


@pytest.mark.parametrize("on_hand", [3, -1, 2**31, ""])
def test_stock_that_cannot_be_is_refused_in_the_form(boss, on_hand):
    cup = make_product(on_hand=10, reserved=4)

    response = save_product(boss, cup, on_hand=on_hand, name="Mug")

    assert list(response.context["adminform"].form.errors) == ["on_hand"]
    assert StockItem.objects.values_list("product__name", "on_hand", "reserved").get() == (cup.name, 10, 4)


def test_a_price_that_cannot_be_is_refused_in_the_form(boss):
    cup = make_product(amount=250)

    response = save_product(boss, cup, amount=0)

    assert response.status_code == 200
    assert Product.objects.get().amount == 250


def test_editing_a_name_leaves_the_stock_to_those_who_sell_it(boss, monkeypatch):
    cup = make_product(on_hand=10)
    counted = []
    monkeypatch.setattr(services, "set_on_hand", lambda *args: counted.append(args))

    save_product(boss, cup, name="Mug")

    assert (Product.objects.get().name, counted) == ("Mug", [])


def test_stock_that_is_reserved_while_the_form_is_saved_stays_reserved(boss, monkeypatch):
    cup = make_product("CUP", on_hand=10)
    set_on_hand = services.set_on_hand

    def reserve_first(product, on_hand):
        StockItem.objects.update(reserved=5)
        set_on_hand(product, on_hand)

    monkeypatch.setattr(services, "set_on_hand", reserve_first)

    response = save_product(boss, cup, on_hand=4)

    assert messages_of(response)[0].startswith("The stock was not changed. 5 of CUP are reserved")
    assert StockItem.objects.values_list("on_hand", "reserved").get() == (10, 5)
    assert not AuditEntry.objects.exists()


def test_a_product_is_taken_off_sale_and_never_deleted(boss):
    cup = make_product()

    refused = boss.post(reverse("admin:orders_product_delete", args=[cup.pk]), {"post": "yes"})

    assert refused.status_code == 403
    assert Product.objects.count() == 1
