import csv
import hashlib
import lzma

from proj.demo.cut import DATA, cut
from proj.demo.sample import orders, pictures, products


def test_every_order_is_for_products_that_are_on_sale():
    on_sale = {product.sku for product in products()}
    assert {sku for order in orders() for sku in order.lines} == on_sale
    assert len(on_sale) == 2171


def test_there_are_enough_real_orders():
    assert len(orders()) == 526
    assert [order.invoice for order in orders(2)] == ["536365", "536366"]


def test_an_invoice_is_read_as_it_was():
    first = orders(1)[0]
    assert first.lines == {
        "85123A": 6,
        "71053": 6,
        "84406B": 8,
        "84029G": 6,
        "84029E": 6,
        "22752": 2,
        "21730": 6,
    }
    assert first.payment_method == "pm_card_visa"


def test_a_product_has_its_commonest_name_and_price():
    (holder,) = (product for product in products() if product.sku == "85123A")
    assert (holder.name, holder.amount) == ("White hanging heart t-light holder", 295)


def test_cancellations_returns_fees_and_gifts_are_left_out():
    invoices = {order.invoice for order in orders()}
    assert not any(invoice.startswith("C") for invoice in invoices)
    assert {"POST", "D", "M", "DOT", "BANK CHARGES"}.isdisjoint(product.sku for product in products())
    assert all(quantity > 0 for order in orders() for quantity in order.lines.values())
    assert all(product.amount > 0 for product in products())


def test_codes_that_differ_only_by_case_are_one_product():
    skus = [product.sku for product in products()]
    assert [sku.upper() for sku in skus] == skus
    assert len(set(skus)) == len(skus)


def test_every_end_of_an_order_is_asked_for():
    methods = [order.payment_method for order in orders(320)]
    assert methods.count("pm_card_chargeDeclined") == 13
    assert methods.count("pm_card_chargeDeclinedInsufficientFunds") == 10
    assert sum(order.express for order in orders(320)) == 45
    stock = {product.sku: product.on_hand for product in products()}
    for order in orders(320):
        for sku, quantity in order.lines.items():
            stock[sku] -= quantity
    assert any(left < 0 for left in stock.values())


def test_the_sample_is_what_the_cut_makes_of_the_whole(tmp_path):
    with lzma.open(DATA / "retail.csv.xz", "rt", newline="") as sample:
        text = sample.read()
    whole, target = tmp_path / "whole.csv.xz", tmp_path / "cut.csv.xz"
    with lzma.open(whole, "wt", newline="") as file:
        file.write(text + "537443,22835,LATER,1,2010-12-07 08:00:00,4.65,,United Kingdom\n")
    assert cut(whole, target) == 14022
    with lzma.open(target, "rt", newline="") as file:
        assert file.read() == text


def test_each_picture_is_the_one_whose_source_and_licence_are_named():
    with (DATA / "pictures.csv").open(newline="") as file:
        named = {row["file"]: row for row in csv.DictReader(file)}
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures()} == {
        name: row["sha256"] for name, row in named.items()
    }
    assert {row["licence"] for row in named.values()} == {"MIT", "MIT-CMU", "Apache-2.0 or MIT"}
    assert len({row["sha256"] for row in named.values()}) == 28


def test_the_sample_stays_small():
    assert sum(path.stat().st_size for path in DATA.rglob("*") if path.is_file()) < 3_000_000
