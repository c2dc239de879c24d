import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from orders.models.catalogue import Product


class Cart(models.Model):
    """What a customer means to order. `checkout_key` is the idempotency key of its next checkout: two clicks,
    or two tabs, place one order. It changes when an order is placed.
    """

    customer = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="cart")
    checkout_key = models.UUIDField(default=uuid.uuid4)
    updated_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"cart of customer {self.customer_id}"


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.CASCADE, related_name="+")
    quantity = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["product__sku"]
        constraints = [
            models.UniqueConstraint(fields=["cart", "product"], name="cart_line_once_per_product"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="cart_line_quantity_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"
