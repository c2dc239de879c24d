"""How often the API may be called, by whom, and what is said about it."""

import logging

import pytest
from limits.storage import RedisStorage
from redis.exceptions import ConnectionError as RedisAway

from orders.models import Order
from proj import moving_window
from proj.api import rate
from tests.api.calls import assert_problem, bearer, cart, get, post
from tests.factories import make_product, make_user

pytestmark = pytest.mark.django_db

PRODUCTS, LIST = "/api/v1/products", "/api/v1/orders"


@pytest.fixture
def limits(settings):
    """A quota of two for everybody, counted from nothing."""
    settings.API_RATES = {"read": 2, "write": 2, "anonymous": 2}
    moving_window._counter.cache_clear()
    connection = RedisStorage(settings.CELERY_BROKER_URL).get_connection()
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    for key in connection.scan_iter(match=f"{prefix}api:*"):
        connection.delete(key)
    connection.close()
    yield settings
    moving_window._counter.cache_clear()


def test_one_call_too_many_is_refused_and_says_when_there_is_room(client, limits):
    ann = make_user()
    answers = [get(client, ann, LIST) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["RateLimit"].split(";t=")[0] for answer in answers] == [
        '"read";r=1',
        '"read";r=0',
        '"read";r=0',
    ]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"read";q=2;w=60'}
    assert_problem(answers[2], 429, "too_many_requests")
    assert 55 <= int(answers[2]["Retry-After"]) <= 60


def test_a_refused_call_does_nothing(client, limits):
    ann = make_user()
    make_product("HEART")
    answers = [post(client, ann, cart(("HEART", 1)), key=f"k{n}") for n in range(3)]

    assert_problem(answers[2], 429, "too_many_requests")
    assert Order.objects.count() == 2


def test_a_refused_call_leaves_its_key_free(client, limits):
    ann = make_user()
    make_product("HEART")
    limits.API_RATES = {"read": 2, "write": 0, "anonymous": 2}
    assert_problem(post(client, ann, cart(("HEART", 1)), key="k"), 429, "too_many_requests")
    limits.API_RATES = {"read": 2, "write": 2, "anonymous": 2}

    assert post(client, ann, cart(("HEART", 1)), key="k").status_code == 202


def test_people_and_kinds_of_calls_have_quotas_of_their_own_and_tokens_share_one(client, limits):
    ann = make_user()
    make_product("HEART")
    spent = [client.get(LIST, headers=bearer(ann)).status_code for _ in range(3)]  # three tokens

    assert spent == [200, 200, 429]
    assert get(client, make_user(), LIST).status_code == 200
    assert post(client, ann, cart(("HEART", 1))).status_code == 202


def test_nobody_in_particular_is_counted_by_address(client, limits):
    here, there = ({"REMOTE_ADDR": address} for address in ("192.0.2.1", "192.0.2.2"))

    assert [client.get(PRODUCTS, **here).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get(PRODUCTS, **there).status_code == 200


def test_an_address_cannot_be_made_up(client, limits):
    answers = [client.get(PRODUCTS, headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_tokens_are_not_guessed_faster_than_that(client, limits):
    answers = [client.get(LIST, headers={"Authorization": f"Bearer shop_{n}"}) for n in range(3)]

    assert [answer.status_code for answer in answers] == [401, 401, 429]


def test_with_the_limiter_off_all_calls_are_answered(client, limits, monkeypatch):
    monkeypatch.setattr(rate, "count", lambda _request: None)
    ann = make_user()

    assert {get(client, ann, LIST).status_code for _ in range(5)} == {200}


def test_while_redis_is_away_nobody_is_refused_and_it_is_said_once(client, limits, monkeypatch, caplog):
    ann = make_user()
    tries = []

    def away(*_, **__):
        tries.append(1)
        raise RedisAway("gone")

    monkeypatch.setattr(RedisStorage, "acquire_entry", away)
    with caplog.at_level(logging.WARNING, logger="proj.moving_window"):
        answers = [get(client, ann, LIST) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert "RateLimit" not in answers[0]
    assert len(tries) == 1  # for some seconds it is left alone
    assert [record.message for record in caplog.records] == [
        "calls of the API are not limited, Redis is not to be had: gone"
    ]


def test_when_redis_is_back_calls_are_counted_again(client, limits, monkeypatch):
    ann = make_user()
    monkeypatch.setattr(moving_window, "QUIET_SECONDS", 0.0)

    def away(*_, **__):
        raise RedisAway("gone")

    with monkeypatch.context() as broken:
        broken.setattr(RedisStorage, "acquire_entry", away)
        get(client, ann, LIST)

    assert [get(client, ann, LIST).status_code for _ in range(3)] == [200, 200, 429]


def test_a_smaller_quota_counts_what_was_called_before(client, limits):
    ann = make_user()
    get(client, ann, LIST)
    limits.API_RATES = {**limits.API_RATES, "read": 1}

    assert get(client, ann, LIST).status_code == 429
