"""`{{ order.amount|money:order.currency }}`: the one way a page shows money."""

from django import template

from orders.money import format_money

register = template.Library()
register.filter("money", format_money)
