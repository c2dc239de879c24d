import socket
import time
from datetime import timedelta
from http import HTTPStatus

import pytest
import time_machine
from django.core.cache import cache, caches
from django.test import Client
from django.utils import timezone

from proj.accounts.cache import QUIET_SECONDS, ForgivingRedisCache
from proj.accounts.rates import FAILED_WINDOW, RATE_LIMITS, WINDOW
from tests.accounts.people import (
    AGAIN,
    LOGIN,
    RESET,
    SECOND_STEP,
    SIGNUP,
    code,
    delivered,
    give_phone,
    is_signed_in,
    link_in,
    sign_in,
)
from tests.factories import PASSWORD, make_user
from tests.pages.markup import Markup

WRONG_IN_FIVE_MINUTES = 10


def guess(client: Client, login: str, times: int = WRONG_IN_FIVE_MINUTES, **headers: str) -> None:
    """Type wrong passwords, each within the limit."""
    for _ in range(times):
        answer = client.post(LOGIN, {"username": login, "password": "wrong"}, headers=headers)
        assert answer.status_code == HTTPStatus.OK


def assert_too_many(answer, seconds: int) -> None:
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert answer["Retry-After"] == str(seconds)
    assert "Too many tries" in answer.text
    assert "nobody is locked out" in answer.text
    assert Markup(answer.text).faults == []


def test_the_eleventh_guess_is_not_looked_at_even_if_it_is_right(client, alice):
    guess(client, "alice")

    assert_too_many(sign_in(client, "alice", PASSWORD), FAILED_WINDOW)
    assert not is_signed_in(client)


def test_what_retry_after_promises_is_kept(client, alice):
    guess(client, "alice")
    wait = int(sign_in(client, "alice")["Retry-After"])

    with time_machine.travel(timezone.now() + timedelta(seconds=wait)):
        assert sign_in(client, "alice").status_code == HTTPStatus.FOUND


def test_guesses_from_many_addresses_are_counted_together(alice, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(WRONG_IN_FIVE_MINUTES):
        guess(Client(), "alice", 1, x_forwarded_for=f"192.0.2.{number}")

    answer = Client().post(
        LOGIN, {"username": "alice", "password": PASSWORD}, headers={"x-forwarded-for": "192.0.2.99"}
    )
    assert_too_many(answer, FAILED_WINDOW)


def test_nobody_else_is_kept_out_by_it(client, alice):
    make_user("bob")
    guess(client, "alice")

    assert sign_in(Client(), "bob").status_code == HTTPStatus.FOUND


def test_signing_in_rightly_uses_nothing_up(alice):
    for _ in range(WRONG_IN_FIVE_MINUTES + 2):
        assert sign_in(Client(), "alice").status_code == HTTPStatus.FOUND


def test_a_reset_lets_the_owner_in_at_once(client, alice):
    guess(client, "alice@example.com")
    assert_too_many(sign_in(client, "alice@example.com"), FAILED_WINDOW)

    client.post(RESET, {"email": "alice@example.com"})
    form = client.get(link_in(delivered()[-1]))["Location"]
    client.post(form, {"password1": "a wholly different phrase", "password2": "a wholly different phrase"})

    assert sign_in(client, "alice@example.com", "a wholly different phrase").status_code == HTTPStatus.FOUND


def test_codes_of_the_second_step_are_not_guessed(client, alice):
    secret = give_phone(alice)
    sign_in(client, "alice")
    for _ in range(WRONG_IN_FIVE_MINUTES):
        assert client.post(SECOND_STEP, {"code": "000000"}).status_code == HTTPStatus.OK

    assert_too_many(client.post(SECOND_STEP, {"code": code(secret)}), FAILED_WINDOW)
    assert not is_signed_in(client)

    # Nor by starting again.
    other = Client()
    sign_in(other, "alice")
    assert_too_many(other.post(SECOND_STEP, {"code": code(secret)}), FAILED_WINDOW)


def test_nor_are_passwords_by_an_open_browser(browser):
    for _ in range(WRONG_IN_FIVE_MINUTES):
        assert browser.post(AGAIN, {"password": "wrong"}).status_code == HTTPStatus.OK

    answer = browser.post(AGAIN, {"password": PASSWORD})
    assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS


@pytest.mark.parametrize(
    ("path", "fields", "limit"),
    [
        (LOGIN, {}, "login"),
        (SIGNUP, {"email": "not an address"}, "signup"),
        ("/accounts/password/reset/key/1-set-password/", {}, "reset_password_from_key"),
    ],
)
def test_one_address_sends_only_so_many_forms_a_minute(client, db, path, fields, limit):
    allowed = int(RATE_LIMITS[limit].partition("/")[0])
    for _ in range(allowed):
        assert client.post(path, fields).status_code == HTTPStatus.OK

    assert_too_many(client.post(path, fields), WINDOW)
    assert client.get(path).status_code == HTTPStatus.OK


def test_a_mailbox_is_not_filled_by_us(client, alice):
    for _ in range(3):
        assert client.post(RESET, {"email": alice.email}).status_code == HTTPStatus.FOUND

    assert_too_many(client.post(RESET, {"email": alice.email}), WINDOW)
    assert len(delivered()) == 3


def test_every_window_is_as_long_as_the_answers_say(settings):
    windows = {
        rate.split("/")[1]
        for action, rates in RATE_LIMITS.items()
        for rate in rates.split(",")
        if action != "login_failed"
    }

    assert (windows, WINDOW) == ({"m"}, 60)


def test_an_address_that_a_client_makes_up_does_not_count(alice):
    """Without a proxy of ours the header is anybody's."""
    for number in range(WRONG_IN_FIVE_MINUTES):
        guess(Client(), f"nobody{number}", 2, x_forwarded_for=f"192.0.2.{number}")

    assert sign_in(Client(), "alice").status_code == HTTPStatus.TOO_MANY_REQUESTS


def dead_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def redis_is_away(settings) -> None:
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": f"redis://127.0.0.1:{dead_port()}/0"}
    }


@pytest.mark.usefixtures("redis_is_away")
def test_without_redis_people_sign_in_and_up_and_reset(client, alice, caplog):
    secret = give_phone(alice)

    for _ in range(WRONG_IN_FIVE_MINUTES + 5):
        assert sign_in(client, "alice", "wrong").status_code == HTTPStatus.OK
    assert sign_in(client, "alice")["Location"].startswith(SECOND_STEP)
    assert client.post(SECOND_STEP, {"code": code(secret)})["Location"] == "/"
    assert Client().post(SIGNUP, {"email": "carol@example.com", "password1": PASSWORD})["Location"] == "/"
    assert Client().post(RESET, {"email": alice.email})["Location"] == f"{RESET}done/"
    assert sum("the cache is away" in record.getMessage() for record in caplog.records) == 1


def test_a_redis_that_hangs_costs_one_time_out_and_not_one_for_each_question(alice, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        settings.CACHES = {
            "default": {
                **settings.CACHES["default"],
                "LOCATION": f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
            }
        }
        begun = time.monotonic()
        assert sign_in(Client(), "alice").status_code == HTTPStatus.FOUND
        assert sign_in(Client(), "alice").status_code == HTTPStatus.FOUND

    assert time.monotonic() - begun < 2


def test_an_away_redis_is_asked_again_after_a_while(settings, monkeypatch):
    here = settings.CACHES
    settings.CACHES = {"default": {**here["default"], "LOCATION": f"redis://127.0.0.1:{dead_port()}/0"}}
    assert cache.get("x", "nothing") == "nothing"
    settings.CACHES = here

    cache.set("x", 1)
    assert cache.get("x") is None
    monkeypatch.setattr(ForgivingRedisCache, "_quiet_until", time.monotonic() - QUIET_SECONDS)
    cache.set("x", 1)

    assert cache.get("x") == 1


@pytest.mark.usefixtures("redis_is_away")
def test_a_cache_that_is_away_answers_as_an_empty_one():
    assert cache.add("x", 1)
    assert cache.get("x", "default") == "default"
    assert not cache.has_key("x")
    assert not cache.touch("x")
    assert not cache.delete("x")
    assert cache.get_many(["x"]) == {}
    assert cache.set_many({"x": 1}) == []
    cache.delete_many(["x"])
    cache.clear()
    with pytest.raises(ValueError, match="not found"):
        cache.incr("x")


def test_the_cache_keeps_what_it_is_given_as_json(settings):
    client = caches["default"]._cache.get_client(None, write=True)
    for value in ([1.5, 2.5], "y", True, 7, None, {"a": [1]}):
        cache.set("x", value)
        assert cache.get("x") == value
    assert cache.add("new", [1])
    assert not cache.add("new", [2])
    cache.set("number", 1)
    assert cache.incr("number") == 2
    cache.set("x", {"a": [1.5]})

    assert client.get(f"{settings.CACHES['default']['KEY_PREFIX']}:1:x") == b'{"a": [1.5]}'


def test_emptying_the_cache_leaves_the_brokers_messages_alone(settings):
    client = caches["default"]._cache.get_client(None, write=True)
    client.lpush("somebody:else", "a message")
    cache.set("x", 1)

    cache.clear()

    assert cache.get("x") is None
    assert client.lrange("somebody:else", 0, -1) == [b"a message"]
    client.delete("somebody:else")
