"""A customer of the shop, as a program: the shop's own HTTP API and nothing else."""

import threading
from pathlib import Path
from typing import Any, NamedTuple, cast

import requests

TIMEOUT = (5, 30)  # seconds to connect, and between two bytes of an answer
_connections = threading.local()


class ShopError(Exception):
    """The shop answered something else than what the call needs."""


class Customer(NamedTuple):
    """Somebody with a token, at the shop at ``url``."""

    url: str
    token: str

    def place_order(
        self, lines: dict[str, int], *, express: bool, payment_method: str, key: str
    ) -> dict[str, Any]:
        """Place an order for quantities by sku and return it. The same ``key`` again returns the same order."""
        body = {
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
            "express": express,
            "payment_method": payment_method,
        }
        return self._call("POST", "/api/v1/orders", expected=202, json=body, headers={"Idempotency-Key": key})

    def upload_picture(self, picture: Path) -> dict[str, Any]:
        """Upload a picture of oneself and return the avatar that it will become."""
        with picture.open("rb") as file:
            return self._call("POST", "/api/v1/avatars", expected=202, files={"image": (picture.name, file)})

    def read_order(self, order_id: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/orders/{order_id}", expected=200)

    def read_avatar(self, avatar_id: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/avatars/{avatar_id}", expected=200)

    def fetch(self, path: str) -> bytes:
        """Return the file at ``path``, as a browser that shows it would get it."""
        answer = connection().get(f"{self.url}{path}", timeout=TIMEOUT)
        if answer.status_code != requests.codes.ok:
            raise ShopError(f"GET {path}: {answer.status_code}")
        return answer.content

    def _call(self, method: str, path: str, *, expected: int, **request: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        answer = connection().request(
            method, f"{self.url}{path}", headers=headers, timeout=TIMEOUT, **request
        )
        if answer.status_code != expected:
            raise ShopError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return cast(dict[str, Any], answer.json())


def connection() -> requests.Session:
    """Return the calling thread's own connection: requests does not promise that threads may share one."""
    if not hasattr(_connections, "session"):
        _connections.session = requests.Session()
    return cast(requests.Session, _connections.session)
