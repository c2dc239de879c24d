"""Webhooks to receivers that hang, while the shop goes on."""

from http.server import BaseHTTPRequestHandler

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from orders import services
from orders.services import LineRequest
from proj.hooks.delivering import AT_ONCE
from proj.hooks.emitting import emit
from proj.hooks.endpoints import create_endpoint
from proj.hooks.sending import TOTAL
from proj.queues import WORKERS
from tests.factories import make_product, make_user
from tests.hooks.receiver import answer, receiving
from tests.waiting import eventually

THREADS = next(group.concurrency for group in WORKERS if "hooks" in group.queues)


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Answer when the test is over."""
    handler.server.over.wait()
    answer(204)(handler)


def tell(subscriber: User, url: str) -> None:
    """Owe a subscriber as many webhooks as they may have under way."""
    create_endpoint(subscriber, url, ["order.paid"])
    with transaction.atomic():
        for number in range(AT_ONCE):
            emit(subscriber.pk, "order.paid", {}, key=f"{subscriber.pk}:{number}", at=timezone.now())


def test_an_order_ends_while_every_thread_for_webhooks_waits_for_a_receiver_that_hangs(shop, settings):
    settings.HOOKS_ALLOW_PRIVATE = True
    with receiving() as receiver:
        receiver.replies = [hang] * THREADS
        for _ in range(THREADS // AT_ONCE):
            tell(make_user(), receiver.url)
        eventually(lambda: len(receiver.posts) == THREADS, why="some thread has nothing to wait for")

        order = services.place_order(make_user(), [LineRequest(make_product().sku, 1)]).order

        def has_ended() -> bool:
            order.refresh_from_db()
            return order.status == "completed"

        eventually(has_ended, seconds=TOTAL - 3, why="it waited until the receiver was given up")
