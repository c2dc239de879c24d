"""A shop in which every page has something to show: orders in every state, a picture, a report, trouble."""

import hmac
import re
import struct
import time
from base64 import b32decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from proj.servers.environment import BASE_DIR
from tests.browser.shop import Person, Shop
from tests.waiting import eventually

PICTURE = BASE_DIR / "proj" / "demo" / "data" / "pictures" / "flower2.jpg"
QUEUE, ACTIVATE = "/admin/queues/io/", "/accounts/2fa/totp/activate/"
PLENTY = 20
NUMBER = re.compile(r'name="number" value="(\d+)"')
SECRET = re.compile(r'id="secret">\s*([A-Z2-7]+)')
JOB = re.compile(r"/admin/jobs/job/([0-9a-f-]{36})/change/")
ORDER = re.compile(r"/admin/orders/order/(\d+)/change/")
REVOKE = re.compile(r"/accounts/tokens/(\d+)/revoke/")
INCIDENT = re.compile(r"/admin/payments/incident/(\d+)/change/")
#: Where the shopper's system is said to listen: a name that leads nowhere, by RFC 2606.
RECEIVER = {"url": "https://till.example.invalid/hooks", "events": ["order.paid"]}
#: As often as there is work, in a shop as quiet as this one.
LIMIT = {"task": "media.process_avatar", "runs": "1000", "per": "1", "reason": "The disks are slow today."}
#: What ends an order, and what its money is done with when it is over.
ENDS = {"completed", "payment_failed", "cancelled", "refunded", "rejected", "out_of_stock"}


@dataclass(frozen=True)
class Scene:
    """What addresses of pages need: public ids of orders of the shopper, and ids of other things."""

    completed: str
    declined: str
    refunded: str
    waiting: str  # for the card to be charged, for as long as the scene is up
    order_pk: str  # of the refunded one
    report: str
    token: str
    endpoint: str  # whose receiver nobody finds
    delivery: str
    job: str  # dead


@contextmanager
def set_up(shop: Shop) -> Iterator[Scene]:
    """Bring all of it about, as people would. The queue `io` is paused for as long as the block lasts."""
    shopper, admin = shop.person("shopper"), shop.person("admin")
    skus = in_stock(shopper)
    completed = shopper.order({skus[0]: 2, skus[1]: 1, skus[2]: 4}, express=True)
    declined = shopper.order({skus[3]: 1}, card="pm_card_chargeDeclinedInsufficientFunds")
    refunded = shopper.order({skus[4]: 3, skus[5]: 1}, card="pm_card_mastercard")
    unlucky = shopper.order({skus[6]: 1}, card="pm_card_refundFail")
    with PICTURE.open("rb") as picture:
        shopper.call("POST", "/avatars", files={"image": ("flower.jpg", picture)})
    for sku in skus[:3]:
        shopper.post("/cart/add/", {"sku": sku, "quantity": 2}, form="/")
    for person in (shopper, shop.person("staff")):
        person.prove()
    token = _make_token(shopper)
    _protect(shopper)
    endpoint = str(shopper.call("POST", "/webhooks", json=RECEIVER)["id"])
    delivery = str(shopper.call("POST", f"/webhooks/{endpoint}/ping")["id"])
    admin.post("/admin/jobs/taskrate/add/", LIMIT)
    for order in (completed, declined, refunded, unlucky):
        _wait(shopper, order, ENDS)
    report = _build_report(admin)
    _give_back(admin, unlucky)
    order_pk = _give_back(admin, refunded)
    eventually(lambda: INCIDENT.search(admin.get("/admin/payments/incident/").text))
    eventually(lambda: "was not found" in shopper.get(f"/hooks/{endpoint}/{delivery}/").text)
    admin.post(QUEUE, {"switch": "pause", "reason": "The provider announced an hour of maintenance."})
    try:
        job = _bury(admin, shopper, skus[6:8])
        waiting = shopper.order({skus[7]: 2, skus[8]: 1})
        _wait(shopper, waiting, {"reserved"})
        yield Scene(completed, declined, refunded, waiting, order_pk, report, token, endpoint, delivery, job)
    finally:
        admin.post(QUEUE, {"switch": "resume", "reason": ""})


def in_stock(person: Person) -> list[str]:
    """Return the skus of some products of which there are plenty."""
    products = person.call("GET", "/products?limit=40")["items"]
    return [each["sku"] for each in products if each["available"] >= PLENTY]


def find_jobs(admin: Person, query: str) -> list[str]:
    """Return the ids of the jobs that the admin lists for a query, such as "queue=io&state=queued", newest first."""
    return list(dict.fromkeys(JOB.findall(admin.get(f"/admin/jobs/job/?{query}").text)))


def _wait(person: Person, order: str, statuses: set[str]) -> None:
    eventually(lambda: person.status_of(order) in statuses, 120)


def _make_token(person: Person) -> str:
    page = person.post("/accounts/tokens/", {"name": "The till in the shop", "days": "90"}).text
    return REVOKE.findall(page)[0]


def _protect(person: Person) -> None:
    """Turn two-step sign-in on."""
    secret = SECRET.search(person.get(ACTIVATE).text)
    assert secret
    digest = hmac.digest(b32decode(secret[1]), struct.pack(">Q", int(time.time()) // 30), "sha1")
    place = digest[-1] & 15  # RFC 4226, 5.3
    number = struct.unpack(">I", digest[place : place + 4])[0] & 0x7FFFFFFF
    # The form is not fetched again: each time it comes with another secret.
    person.post(ACTIVATE, {"code": f"{number % 1_000_000:06}"}, form="/")


def _build_report(admin: Person) -> str:
    today = datetime.now(UTC).date()
    days = {"kind": "daily_sales", "from": str(today - timedelta(days=6)), "to": str(today)}
    report = str(admin.call("POST", "/reports", json=days)["id"])
    eventually(lambda: admin.call("GET", f"/reports/{report}")["status"] == "ready", 60)
    return report


def _give_back(admin: Person, order: str) -> str:
    """Give some money of an order back, and return the order's primary key."""
    found = ORDER.search(admin.get(f"/admin/orders/order/?q={order}").text)
    assert found
    refund = f"/admin/orders/order/{found[1]}/refund/"
    asked = {"amount": "1.00", "reason": "One of them came with a scratch."}
    number = NUMBER.search(admin.post(refund, asked).text)
    assert number
    admin.post(refund, asked | {"number": number[1]})
    return found[1]


def _bury(admin: Person, shopper: Person, skus: list[str]) -> str:
    """Order things whose charges cannot begin, and end those jobs as dead, one a second; return the id of the last."""
    for sku in skus:
        _wait(shopper, shopper.order({sku: 1}), {"reserved"})
    jobs = find_jobs(admin, "queue=io&state=queued&task=orders.charge_order")
    said = {"confirmed": "yes", "reason": "Placed by mistake.", "per_second": 1}
    admin.post("/admin/jobs/job/", said | {"action": "bury", "_selected_action": jobs})
    eventually(lambda: set(jobs) <= set(find_jobs(admin, "state=dead")))
    return jobs[-1]
