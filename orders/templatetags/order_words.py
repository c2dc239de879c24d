"""What an order is called, wherever it is shown."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders.balance import Balance, read_balance
from orders.models import Order
from orders.payments.models import Refund
from orders.timeline import REFUND_WORDS, STATUS_WORDS

register = template.Library()


@register.simple_tag
def status_chip(order: Order) -> SafeString:
    """`{% status_chip order %}`: its status as a coloured word."""
    words = STATUS_WORDS[order.status]
    return format_html('<span class="chip chip-{}">{}</span>', words.look, words.chip)


@register.simple_tag
def refund_chip(refund: Refund) -> SafeString:
    """`{% refund_chip refund %}`: how far a refund is, as coloured words."""
    word, look = REFUND_WORDS[refund.state]
    return format_html('<span class="chip chip-{}">{}</span>', look, word)


@register.simple_tag
def balance_of(order: Order) -> Balance:
    """`{% balance_of order as balance %}`: what is known of its money; without a query if its rows were prefetched."""
    return read_balance(order)


@register.filter
def number(order: Order) -> str:
    """`{{ order|number }}`: the part of its public id that people can read out."""
    return str(order.public_id)[:8]
