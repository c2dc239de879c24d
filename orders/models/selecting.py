"""Which orders are meant: one reading of what people ask, for the list in the admin, its totals and the exported file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from django.db.models import BigIntegerField, OuterRef, QuerySet, Subquery, Sum

from orders.models.order import Order
from orders.models.questions import QUESTIONS, Condition, rows_of


@dataclass(frozen=True)
class OrderSelection:
    """Orders narrowed by whatever is given, in the words of whoever asks. Build it with :meth:`read`.

    What cannot be understood selects nothing: neither a total nor an export may be of more than was asked for.
    """

    asked: Mapping[str, str]

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        """Take what is known from the parameters of a request, or from a selection that was stored; leave the rest."""
        texts = {name: str(given[name]).replace("\0", "").strip() for name in QUESTIONS if name in given}
        return cls({name: text for name, text in texts.items() if text})

    @property
    def lost(self) -> list[str]:
        """The parameters that say nothing that could be understood."""
        return [name for name, condition in self._conditions.items() if condition is None]

    def narrow(self, orders: "QuerySet[Order]") -> "QuerySet[Order]":
        """Return those of some orders that are meant; none, if a part of the question cannot be understood."""
        for condition in self._conditions.values():
            orders = orders.none() if condition is None else orders.filter(condition)
        return orders

    @cached_property
    def _conditions(self) -> dict[str, Condition | None]:
        return {name: self._condition(name) for name in self.asked}

    def _condition(self, name: str) -> Condition | None:
        try:
            return QUESTIONS[name](self.asked[name], self.asked)
        except (ValueError, OverflowError):
            return None


def with_money(orders: "QuerySet[Order]") -> "QuerySet[Order]":
    """Add what was captured for each order and what has gone back, in minor units; None where there is nothing."""
    of_order = {"captured": ("PaymentAttempt", "order"), "given_back": ("Refund", "attempt__order")}
    return orders.annotate(
        **{
            name: Subquery(
                rows_of(model)
                .filter(**{path: OuterRef("pk")}, state="succeeded")
                .order_by()
                .values(path)
                .annotate(sum=Sum("amount"))
                .values("sum"),
                output_field=BigIntegerField(),
            )
            for name, (model, path) in of_order.items()
        }
    )
