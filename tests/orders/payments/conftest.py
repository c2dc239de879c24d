import pytest

from orders.models import Order, Product
from orders.states import Status
from tests.factories import make_order, make_product
from tests.sandbox import KEY, sandbox, shared_sandbox

__all__ = ["sandbox", "shared_sandbox"]


@pytest.fixture
def provider(shared_sandbox, settings):
    settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = KEY, shared_sandbox.url
    return shared_sandbox


@pytest.fixture
def product() -> Product:
    return make_product(on_hand=10, amount=250)


@pytest.fixture
def order(product, provider, waiting) -> Order:
    return make_order({product: 4}, status=Status.RESERVED)
