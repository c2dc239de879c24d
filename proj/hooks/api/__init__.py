"""Webhook endpoints and their deliveries over HTTP, for programs."""

from ninja import Router

from proj.hooks.api import deliveries, endpoints

router = Router(tags=["webhooks"])
router.add_router("/webhooks", endpoints.router)
router.add_router("/webhooks", deliveries.router)

__all__ = ["router"]
