"""What an order is called, wherever it is shown."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders.models import Order
from orders.timeline import STATUS_WORDS

register = template.Library()


@register.simple_tag
def status_chip(order: Order) -> SafeString:
    """`{% status_chip order %}`: its status as a coloured word."""
    words = STATUS_WORDS[order.status]
    return format_html('<span class="chip chip-{}">{}</span>', words.look, words.chip)


@register.filter
def number(order: Order) -> str:
    """`{{ order|number }}`: the part of its public id that people can read out."""
    return str(order.public_id)[:8]
