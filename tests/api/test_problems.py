"""Every refusal of the API has one shape, whatever raised it."""

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client, RequestFactory
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError
from ninja.testing import TestClient

from proj.api import problems
from proj.api.problems import Problem


class Body(Schema):
    quantity: int


@pytest.fixture(scope="module")
def client():
    api = NinjaAPI(urls_namespace="test-problems")
    problems.install(api)
    raised = {
        "problem": Problem(409, "too_late", "It has been paid.", headers={"Retry-After": "2"}, paid=True),
        "missing": Http404(),
        "forbidden": PermissionDenied("Staff only."),
        "http": HttpError(429, "Slow down."),
        "bug": ZeroDivisionError("secret"),
    }

    @api.get("/raise/{what}")
    def fail(request, what: str):
        raise raised[what]

    @api.post("/body")
    def body(request, body: Body):
        return {}

    return TestClient(api)


def test_a_problem_carries_its_code_its_words_and_its_extras(client):
    response = client.get("/raise/problem")

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response["Retry-After"] == "2"
    assert response.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "too_late",
        "detail": "It has been paid.",
        "instance": response.json()["instance"],
        "paid": True,
    }


@pytest.mark.parametrize(
    ("what", "status", "code", "detail"),
    [
        ("missing", 404, "not_found", "There is nothing here, or it is not yours."),
        ("forbidden", 403, "forbidden", "Staff only."),
        ("http", 429, "too_many_requests", "Slow down."),
        ("bug", 500, "internal_error", "Something went wrong on our side. It has been logged."),
    ],
)
def test_every_error_is_a_problem_and_a_bug_tells_nothing_of_itself(client, what, status, code, detail):
    response = client.get(f"/raise/{what}")

    assert response["Content-Type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"], response.json()["detail"]) == (
        status,
        code,
        detail,
    )


def test_a_body_that_is_not_valid_is_told_where(client):
    response = client.post("/body", json={"quantity": "many"})

    assert response.status_code == 422
    assert response.json()["code"] == "invalid"
    assert [error["pointer"] for error in response.json()["errors"]] == ["/quantity"]


def test_the_instance_is_the_path_that_was_asked_for():
    response = Problem(404, "not_found", "Nothing.").response(RequestFactory().get("/api/v1/orders/1?x=y"))

    assert b'"instance": "/api/v1/orders/1"' in response.content


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/v1/nowhere", 404, "not_found"),
        ("put", "/api/v1/orders", 405, "method_not_allowed"),
    ],
)
@pytest.mark.django_db
def test_an_address_that_is_not_the_apis_own_answers_with_a_problem_too(method, path, status, code):
    client = Client()
    response = getattr(client, method)(path)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["instance"]) == (status, code, path)
    assert response["Content-Type"] == "application/problem+json"
    assert ("Allow" in response) == (status == 405)
    assert client.get("/nowhere")["Content-Type"].startswith("text/html")
