"""Webhook endpoints and their deliveries over HTTP, for programs."""

from ninja import Router

router = Router(tags=["webhooks"])
