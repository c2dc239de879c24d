import pytest
from django.template import Context, Template

from orders.money import format_money


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (0, "GBP", "£0.00"),
        (5, "GBP", "£0.05"),
        (1250, "GBP", "£12.50"),
        (123_456_789, "EUR", "€1,234,567.89"),
        (1_200, "JPY", "¥1,200"),
        (5, "KRW", "₩5"),
        (1250, "KWD", "KWD\N{NO-BREAK SPACE}1.250"),
        (99, "CHF", "CHF\N{NO-BREAK SPACE}0.99"),
        (7, "VND", "VND\N{NO-BREAK SPACE}7"),
        (-250, "USD", "\N{MINUS SIGN}$2.50"),
    ],
)
def test_minor_units_as_people_write_them(amount, currency, text):
    assert format_money(amount, currency) == text


def test_pages_show_it_by_a_filter():
    template = Template("{% load money %}{{ amount|money:currency }}")

    assert template.render(Context({"amount": 1250, "currency": "GBP"})) == "£12.50"
