from django.db import models
from django.db.models import Q


class Sale(models.Model):
    """An order in the books: what the reports add up. One for each fulfilled order, never changed."""

    order = models.OneToOneField("orders.Order", models.PROTECT, related_name="sale")
    day = models.DateField(
        db_index=True, help_text="The day the order was placed, in the project's time zone."
    )
    amount = models.BigIntegerField(help_text="In the currency's minor unit.")
    currency = models.CharField(max_length=3)
    items = models.PositiveIntegerField(help_text="How many pieces, over all lines.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="sale_amount_positive"),
            models.CheckConstraint(condition=Q(items__gt=0), name="sale_items_positive"),
        ]

    def __str__(self) -> str:
        return f"sale of order {self.order_id}"
