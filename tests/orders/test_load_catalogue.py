import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command

from orders import services
from orders.models import Product, StockItem
from orders.services import CatalogueRow
from tests.factories import make_product

pytestmark = pytest.mark.django_db

CSV = 'sku,name,amount,on_hand\nCUP,Cup,250,7\nPOT,"Pot, large",1999,0\n'


def load(tmp_path, text: str, *options: str) -> str:
    path = tmp_path / "products.csv"
    path.write_bytes(text.encode())
    out = io.StringIO()
    call_command("load_catalogue", str(path), *options, stdout=out)
    return out.getvalue()


def shelf() -> list[tuple]:
    return list(Product.objects.values_list("sku", "name", "amount", "currency", "stock__on_hand"))


def test_products_are_put_on_sale(tmp_path):
    assert load(tmp_path, CSV) == "2 created, 0 changed, 0 unchanged.\n"

    assert shelf() == [("CUP", "Cup", 250, "GBP", 7), ("POT", "Pot, large", 1999, "GBP", 0)]


def test_loading_again_changes_nothing(tmp_path):
    load(tmp_path, CSV)
    StockItem.objects.filter(product__sku="CUP").update(on_hand=3, reserved=2)

    assert json.loads(load(tmp_path, CSV, "--json")) == {"created": 0, "changed": 0, "unchanged": 2}

    assert StockItem.objects.values_list("on_hand", "reserved").get(product__sku="CUP") == (3, 2)


def test_a_product_takes_its_new_price_and_keeps_its_stock(tmp_path):
    make_product("CUP", amount=1, on_hand=3)

    assert load(tmp_path, CSV) == "1 created, 1 changed, 0 unchanged.\n"

    assert shelf()[0] == ("CUP", "Cup", 250, "GBP", 3)


def test_a_dry_run_only_checks(tmp_path):
    assert load(tmp_path, CSV, "--dry-run") == "2 rows are right.\n"
    assert json.loads(load(tmp_path, CSV, "--dry-run", "--json")) == {"rows": 2}

    assert not Product.objects.exists()


def test_the_file_of_a_spreadsheet_is_read(tmp_path):
    load(tmp_path, "\ufeffcurrency,sku,name,amount,on_hand\r\nEUR,TASSE,Tasse für Öl,250,7\r\n")

    assert shelf() == [("TASSE", "Tasse für Öl", 250, "EUR", 7)]


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(CSV))

    call_command("load_catalogue", "-", stdout=io.StringIO())

    assert len(shelf()) == 2


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",Cup,250,7", "sku must have 1 to 64 characters"),
        (f"{'x' * 65},Cup,250,7", "sku must have 1 to 64 characters"),
        ("A\x00B,Cup,250,7", "sku must have 1 to 64 characters"),
        ("CUP,,250,7", "name must have 1 to 200 characters"),
        ("CUP,Cup,0,7", "amount must be a whole number from 1 to 99999999"),
        ("CUP,Cup,2.50,7", "amount must be a whole number from 1 to 99999999"),
        ("CUP,Cup,٢,7", "amount must be a whole number from 1 to 99999999"),
        ("CUP,Cup,100000000,7", "amount must be a whole number from 1 to 99999999"),
        ("CUP,Cup,250,-1", "on_hand must be a whole number from 0 to 2147483647"),
        ("CUP,Cup,250,2147483648", "on_hand must be a whole number from 0 to 2147483647"),
        ("CUP,Cup,250", "on_hand must be a whole number from 0 to 2147483647"),
        ("TEA,Tea,250,7", "sku is there twice"),
    ],
)
def test_one_wrong_row_and_nothing_is_loaded(tmp_path, row, problem):
    with pytest.raises(CommandError) as refusal:
        load(tmp_path, f"sku,name,amount,on_hand\nTEA,Tea,100,1\n{row}\n")

    assert (str(refusal.value), refusal.value.returncode) == (f"Line 3: {problem}.", 1)
    assert not Product.objects.exists()


def test_a_wrong_currency_is_refused(tmp_path):
    with pytest.raises(CommandError, match="Line 2: currency must be three capital letters"):
        load(tmp_path, "sku,name,amount,on_hand,currency\nTEA,Tea,100,1,gbp\n")


@pytest.mark.parametrize("text", ["", "sku;name;amount;on_hand\n"])
def test_a_file_without_the_columns_is_refused(tmp_path, text):
    with pytest.raises(CommandError, match="The file has no column") as refusal:
        load(tmp_path, text)

    assert refusal.value.returncode == 1


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"sku,name\n\xff\xfe")

    for path in (tmp_path / "missing.csv", binary, tmp_path):
        with pytest.raises(CommandError, match="cannot be read") as refusal:
            call_command("load_catalogue", str(path))
        assert refusal.value.returncode == 2


@pytest.mark.parametrize("count", [1, 200])
def test_loading_costs_the_same_queries_however_many_products(count, django_assert_num_queries):
    make_product("S0")

    with django_assert_num_queries(6):  # 2 for the transaction
        services.load_catalogue(CatalogueRow(f"S{n}", "Name", 100, 5) for n in range(count + 1))
