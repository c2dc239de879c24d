"""Products and orders over HTTP, for programs."""

from ninja import Router

from orders.api import events, orders, products

router = Router()
router.add_router("/products", products.router)
router.add_router("/orders", orders.router)
router.add_router("/orders", events.router)

__all__ = ["router"]
