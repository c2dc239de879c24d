"""Calls to the API as an outside client makes them, with a bearer token."""

from http import HTTPStatus

from django.contrib.auth.models import User
from django.utils import timezone

from proj.api.models import Token

ORDERS = "/api/v1/orders"


def bearer(user: User) -> dict[str, str]:
    token, text = Token.issue(user)
    token.last_used_at = (
        timezone.now()
    )  # its first use would be noted, by a query that the others do not make
    token.save()
    return {"Authorization": f"Bearer {text}"}


def post(client, user: User, payload: object, key: str | None = None, path: str = ORDERS):
    headers = bearer(user) | ({"Idempotency-Key": key} if key is not None else {})
    return client.post(path, payload, content_type="application/json", headers=headers)


def get(client, user: User, path: str, **query: object):
    return client.get(path, query, headers=bearer(user))


def cart(*lines: tuple[str, object], **fields: object) -> dict[str, object]:
    return {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines], **fields}


def assert_problem(response, status: int, code: str) -> dict:
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code), problem
    assert response["Content-Type"] == "application/problem+json"
    assert problem["title"] == HTTPStatus(status).phrase
    assert problem["detail"]
    return problem
