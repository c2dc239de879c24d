"""What the tests of payments look at."""

from orders.models import Order, Product


def attempts(order: Order) -> list[tuple[str, str, str]]:
    return list(order.payment_attempts.values_list("state", "error_code", "error_detail"))


def stock(product: Product) -> tuple[int, int]:
    product.stock.refresh_from_db()
    return product.stock.on_hand, product.stock.reserved
