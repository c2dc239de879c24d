from typing import Self

from django.db import models
from django.db.models import F, Q

#: Stripe takes amounts of at most eight digits: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
MAX_AMOUNT = 99_999_999


class ProductQuerySet(models.QuerySet["Product"]):
    def on_sale(self) -> Self:
        return self.filter(active=True)

    def with_stock(self) -> Self:
        """Each product with its stock in the same query: `available` then costs nothing."""
        return self.select_related("stock")


class Product(models.Model):
    sku = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    amount = models.BigIntegerField(help_text="Price of one, in the currency's minor unit (pence, cents).")
    currency = models.CharField(max_length=3, default="GBP", help_text="ISO 4217.")
    active = models.BooleanField(default=True, help_text="Whether it can be ordered.")

    objects = ProductQuerySet.as_manager()

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=MAX_AMOUNT), name="product_amount_in_range"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="product_currency_iso"),
            models.CheckConstraint(condition=~Q(sku=""), name="product_sku_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.sku} {self.name}"

    @property
    def available(self) -> int:
        """How many can be ordered now. A product nobody has stocked yet has none."""
        return self.stock.available if hasattr(self, "stock") else 0


class StockItem(models.Model):
    """What there is of a product. `reserved` is the sum over the orders in `states.HOLDS_STOCK`."""

    product = models.OneToOneField(Product, models.CASCADE, primary_key=True, related_name="stock")
    on_hand = models.PositiveIntegerField(default=0)
    reserved = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "stock"
        verbose_name_plural = "stock"
        constraints = [
            # PositiveIntegerField adds on_hand >= 0 and reserved >= 0.
            models.CheckConstraint(condition=Q(reserved__lte=F("on_hand")), name="stock_reserved_on_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.on_hand} on hand, {self.reserved} reserved"

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved
