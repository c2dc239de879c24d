"""Requests with an Idempotency-Key, whatever they make."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from media.models import Avatar
from orders.models import Order
from proj.api import idempotency
from proj.api.models import KeptAnswer
from proj.jobs import retention
from reports.models import Report
from tests.api.calls import ORDERS, assert_problem, bearer, cart, post
from tests.factories import make_product, make_user
from tests.media.pictures import plain

AVATARS, REPORTS = "/api/v1/avatars", "/api/v1/reports"
JANUARY = {"kind": "daily_sales", "from": "2026-01-01", "to": "2026-01-31"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst() -> User:
    user = make_user(is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="add_report"))
    return user


def upload(client, user: User, data: bytes, key: str = "k"):
    headers = {**bearer(user), "Idempotency-Key": key}
    return client.post(AVATARS, {"image": SimpleUploadedFile("me.png", data)}, headers=headers)


def seen(response) -> tuple[int, bytes, str]:
    return response.status_code, response.content, response["Location"]


def test_a_picture_that_is_sent_again_is_one_avatar(client, analyst):
    first, again = (upload(client, analyst, plain()) for _ in range(2))

    assert seen(again) == seen(first)
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert Avatar.objects.count() == 1


def test_another_picture_with_the_same_key_is_refused(client, analyst):
    upload(client, analyst, plain((1, 2, 3)))

    assert_problem(upload(client, analyst, plain((3, 2, 1))), 422, "idempotency_mismatch")
    assert Avatar.objects.count() == 1


def test_a_report_that_is_asked_for_again_is_one_report(client, analyst):
    first, again = (post(client, analyst, JANUARY, key="k", path=REPORTS) for _ in range(2))

    assert seen(again) == seen(first)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"] == "application/json; charset=utf-8"
    assert Report.objects.count() == 1


def test_a_key_is_for_one_address(client, analyst):
    make_product("HEART")
    post(client, analyst, cart(("HEART", 1)), key="k")

    assert_problem(post(client, analyst, JANUARY, key="k", path=REPORTS), 422, "idempotency_mismatch")
    assert Report.objects.count() == 0


def test_the_same_said_in_another_way_is_the_same(client, analyst):
    make_product("HEART")
    headers = {**bearer(analyst), "Idempotency-Key": "k"}
    bodies = [
        '{"lines":[{"sku":"HEART","quantity":1}]}',
        '{"lines": [{"quantity": 1, "sku": "HEART"}]}',
    ]

    answers = [client.post(ORDERS, body, content_type="application/json", headers=headers) for body in bodies]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert Order.objects.count() == 1


def test_a_refusal_for_good_is_kept(client, analyst):
    first = post(client, analyst, cart(("HEART", 1)), key="k")
    make_product("HEART")
    again = post(client, analyst, cart(("HEART", 1)), key="k")

    assert_problem(again, 422, "unknown_product")
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert again["Content-Type"] == "application/problem+json"
    assert Order.objects.count() == 0


def test_a_request_that_was_no_valid_one_may_be_mended(client, analyst):
    make_product("HEART")
    assert_problem(post(client, analyst, cart(("HEART", 0)), key="k"), 422, "invalid")

    assert post(client, analyst, cart(("HEART", 1)), key="k").status_code == 202


def test_that_somebody_may_not_do_it_is_not_kept(client):
    clerk = make_user(is_staff=True)
    assert_problem(post(client, clerk, JANUARY, key="k", path=REPORTS), 403, "forbidden")
    clerk.user_permissions.add(Permission.objects.get(codename="add_report"))

    assert post(client, clerk, JANUARY, key="k", path=REPORTS).status_code == 202


def test_what_went_wrong_is_not_kept_and_has_done_nothing(client, analyst, monkeypatch):
    make_product("HEART")

    def break_down(*_, **__):
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "_accepted", break_down)  # after the order is written
        assert_problem(post(client, analyst, cart(("HEART", 1)), key="k"), 500, "internal_error")
        assert (Order.objects.count(), KeptAnswer.objects.count()) == (0, 0)

    assert post(client, analyst, cart(("HEART", 1)), key="k").status_code == 202
    assert Order.objects.count() == 1


def test_order_and_key_are_one_transaction(client, analyst, monkeypatch):
    make_product("HEART")

    def fail(**_):
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(KeptAnswer.objects, "create", fail)
        assert_problem(post(client, analyst, cart(("HEART", 1)), key="k"), 500, "internal_error")

    assert (Order.objects.count(), KeptAnswer.objects.count()) == (0, 0)


def test_after_a_day_a_key_is_a_new_one(client, analyst):
    make_product("HEART")
    post(client, analyst, cart(("HEART", 1)), key="k")
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24))

    again = post(client, analyst, cart(("HEART", 2)), key="k")

    assert (again.status_code, "Idempotent-Replayed" in again) == (202, False)
    assert (Order.objects.count(), KeptAnswer.objects.count()) == (2, 1)


def test_answers_are_purged_after_a_day(client, analyst):
    make_product("HEART")
    for key in ("a", "b", "c"):
        post(client, analyst, cart(("HEART", 1)), key=key)
    now = KeptAnswer.objects.earliest("created_at").created_at + timedelta(hours=24)
    KeptAnswer.objects.filter(key__in=["b", "c"]).update(created_at=now - timedelta(hours=24, seconds=1))

    assert [idempotency.purge_answers(1, now) for _ in range(3)] == [1, 1, 0]
    assert KeptAnswer.objects.get().key == "a"
    assert retention.registered()["answers kept for idempotency keys"] is idempotency.purge_answers


# --- at the same time -------------------------------------------------------------------------------------------------


@contextmanager
def somebody_at_work(user: User, key: str):
    """In another connection a request with the key is being carried out."""

    def begin() -> None:
        transaction.set_autocommit(False)
        idempotency._take(f"{user.pk}:{key}")

    def end() -> None:
        transaction.rollback()
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(begin).result()
        try:
            yield
        finally:
            thread.submit(end).result()


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_being_worked_on_is_refused_for_a_moment(client, analyst, waiting):
    make_product("HEART")
    with somebody_at_work(analyst, "k"):
        busy = post(client, analyst, cart(("HEART", 1)), key="k")
        other = post(client, analyst, cart(("HEART", 1)), key="other")

    assert_problem(busy, 409, "idempotency_in_flight")
    assert (busy["Retry-After"], other.status_code) == ("1", 202)
    assert post(client, analyst, cart(("HEART", 1)), key="k").status_code == 202
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_the_database_still_lets_only_one_through(analyst, waiting, monkeypatch):
    make_product("HEART")
    monkeypatch.setattr(idempotency, "_take", lambda _name: None)
    # The other has looked, found nothing, and commits first.
    outcome = idempotency._outcome

    def overtaken(request, carry_out):
        response = outcome(request, carry_out)
        with ThreadPoolExecutor(1) as thread:
            thread.submit(rival).result()
        return response

    def rival() -> None:
        KeptAnswer.objects.create(user=analyst, key="k", fingerprint="f", status=202, headers={}, body=b"{}")
        connection.close()

    monkeypatch.setattr(idempotency, "_outcome", overtaken)
    answer = post(Client(), analyst, cart(("HEART", 1)), key="k")

    assert_problem(answer, 500, "internal_error")  # with the lock it is a 409 that says when to come back
    assert Order.objects.count() == 0


def test_the_database_itself_refuses_a_second_use_of_a_key(analyst):
    fields = {"user": analyst, "key": "k", "fingerprint": "f", "status": 202, "headers": {}, "body": b""}
    KeptAnswer.objects.create(**fields)

    with pytest.raises(IntegrityError, match="idempotency_key_once_per_user"):
        KeptAnswer.objects.create(**fields)
