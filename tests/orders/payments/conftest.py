import pytest
from celery import current_app

from orders import services
from orders.models import Order, Product
from orders.payments import gate
from orders.payments.charging import charge_order
from orders.payments.gateway import Payment
from orders.payments.models import Refund
from orders.payments.stripe import StripeGateway
from orders.states import Status
from tests.factories import make_order, make_product
from tests.sandbox import KEY, sandbox, shared_sandbox

__all__ = ["sandbox", "shared_sandbox"]


@pytest.fixture
def provider(shared_sandbox, settings):
    with current_app.connection_for_read() as connection:  # what other tests asked it in the last second
        connection.default_channel.client.delete(f"rate:{gate.NAME}")
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = KEY, shared_sandbox.url
    return shared_sandbox


@pytest.fixture
def product() -> Product:
    return make_product(on_hand=10, amount=250)


@pytest.fixture
def order(product, provider, waiting) -> Order:
    return make_order({product: 4}, status=Status.RESERVED)


@pytest.fixture
def answer(monkeypatch):
    """Let the provider answer a charge with what the function it returns is given: a payment, or an error."""

    def give(outcome: Payment | Exception) -> None:
        def charge(_self, **_arguments):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(StripeGateway, "charge", charge)

    return give


@pytest.fixture
def refund(order) -> Refund:
    """All the money of an order that was paid and cancelled, to go back."""
    charge_order(order.pk)
    services.cancel_order(order.pk, "ann", reason="Too slow.")
    return Refund.objects.get()
