"""The OpenAPI document is whole: of every operation its name, security, errors and examples."""

from itertools import chain

import jsonschema_rs
import pytest

from proj.urls import api

DOCUMENT = api.get_openapi_schema()
OPERATIONS = sorted((path, method) for path, methods in DOCUMENT["paths"].items() for method in methods)
PUBLIC = {"/api/v1/products"}

every_operation = pytest.mark.parametrize(("path", "method"), OPERATIONS)


def operation(path: str, method: str) -> dict:
    return DOCUMENT["paths"][path][method]


def examples_of(media: dict) -> list:
    """Return the examples of a body: its own, or those of its schema."""
    own = [media["example"]] if "example" in media else []
    return own or resolve(media.get("schema", {})).get("examples", [])


def resolve(schema: dict) -> dict:
    return (
        DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    )


def test_names_of_operations_are_short_and_differ():
    names = [operation(*each)["operationId"] for each in OPERATIONS]

    assert len(set(names)) == len(names)
    assert {"place_order", "read_order", "create_avatar", "create_report", "retry_job"} <= set(names)


@every_operation
def test_an_operation_has_a_summary_and_says_who_may_call_it(path, method):
    described = operation(path, method)

    assert described["summary"]
    assert described.get("description")
    schemes = {name for each in described.get("security", ()) for name in each}
    assert schemes == (set() if path in PUBLIC else {"BearerAuth", "PageAuth"})
    assert schemes <= set(DOCUMENT["components"]["securitySchemes"])


@every_operation
def test_an_operation_says_how_it_may_be_refused(path, method):
    described = operation(path, method)
    expected = {"429", "500"}
    expected |= {"401"} if path not in PUBLIC else set()
    expected |= {"403"} if path not in PUBLIC and method != "get" else set()
    expected |= {"400", "422"} if "requestBody" in described else set()
    expected |= {"404"} if "{" in path else set()

    assert expected <= set(described["responses"])
    for status, answer in described["responses"].items():
        if int(status) >= 400:
            [(kind, media)] = answer["content"].items()
            assert kind == "application/problem+json"
            assert media["example"]["status"] == int(status)
            assert " " not in media["example"]["code"]
    assert "Retry-After" in described["responses"]["429"]["headers"]


@every_operation
def test_a_body_has_an_example_that_its_schema_allows(path, method):
    described = operation(path, method)
    bodies = chain([described.get("requestBody", {})], described["responses"].values())

    for kind, media in chain.from_iterable(body.get("content", {}).items() for body in bodies):
        if kind not in {"application/json", "application/problem+json"}:
            continue
        examples = examples_of(media)
        assert examples, f"{kind}: {media}"
        validator = jsonschema_rs.validator_for({**media["schema"], "components": DOCUMENT["components"]})
        assert [error.message for each in examples for error in validator.iter_errors(each)] == []


@pytest.mark.parametrize("kind", ["avatar", "job", "order", "report"])
def test_a_status_has_an_etag_and_says_when_to_ask_again(kind):
    described = operation(f"/api/v1/{kind}s/{{{kind}_id}}", "get")

    for status in ("200", "304"):
        assert {"ETag", "Retry-After"} <= set(described["responses"][status]["headers"])
    assert "If-None-Match" in {each["name"] for each in described["parameters"]}


@pytest.mark.parametrize(
    ("path", "conflict"),
    [
        ("avatars", "idempotency_in_flight"),
        ("orders", "idempotency_in_flight"),
        ("reports", "idempotency_in_flight"),
        ("webhooks/{endpoint_id}/ping", "endpoint_off"),
        ("webhooks/{endpoint_id}/replay", "endpoint_off"),
        ("webhooks/{endpoint_id}/deliveries/{delivery_id}/replay", "endpoint_off"),
    ],
)
def test_what_accepts_something_takes_an_idempotency_key(path, conflict):
    described = operation(f"/api/v1/{path}", "post")

    assert "Idempotency-Key" in {each["name"] for each in described["parameters"]}
    assert {"Location", "Retry-After", "Idempotent-Replayed"} <= set(described["responses"]["202"]["headers"])
    refusal = described["responses"]["409"]["content"]["application/problem+json"]
    assert refusal["example"]["code"] == conflict


def test_every_header_that_is_named_is_described():
    named = {
        header["$ref"]
        for each in OPERATIONS
        for answer in operation(*each)["responses"].values()
        for header in answer["headers"].values()
    }

    assert named == {f"#/components/headers/{name}" for name in DOCUMENT["components"]["headers"]}
