"""What the tests of payments look at."""

from orders.models import Order, Product
from tests.sandbox import Sandbox


def attempts(order: Order) -> list[tuple[str, str, str]]:
    return list(order.payment_attempts.values_list("state", "error_code", "error_detail"))


def stock(product: Product) -> tuple[int, int]:
    product.stock.refresh_from_db()
    return product.stock.on_hand, product.stock.reserved


def refunds_of(provider: Sandbox, order: Order) -> list[tuple[int, str]]:
    """(minor units, currency) of each refund that the provider has made for an order."""
    return provider.read_books(
        """SELECT refunds.amount, refunds.currency FROM refunds JOIN intents ON intents.id = refunds.payment_intent
           WHERE refunds.status = 'succeeded' AND intents.body ->> '$.metadata.order' = ?
           ORDER BY refunds.number""",
        str(order.public_id),
    )
