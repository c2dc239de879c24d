"""Competition: functions that run at the same moment, each on a connection of its own; and somebody in charge."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.factories import make_user

Outcome = Any  # what the function returned, or the exception it raised

# PostgreSQL allows 100 connections by default, and other tests have some.
MOST_AT_ONCE = 50


@pytest.fixture
def at_once() -> Callable[[Iterable[Callable[[], Any]]], list[Outcome]]:
    """Return a function that runs many functions in threads and returns their outcomes, in order.

    Up to 50 begin at the same instant, connected; the others follow as soon as one is done.
    """

    def run_at_once(functions: Iterable[Callable[[], Any]]) -> list[Outcome]:
        calls = list(functions)
        together = min(len(calls), MOST_AT_ONCE)
        barrier = Barrier(together, timeout=30)

        def call(position: int) -> Outcome:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '20s'")  # a wait without end fails its test
            if position < together:
                barrier.wait()
            try:
                return calls[position]()
            except Exception as error:  # noqa: BLE001  whatever it is, it is the outcome
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(together) as pool:
            return list(pool.map(call, range(len(calls))))

    return run_at_once


@pytest.fixture
def boss(client: Client) -> Client:
    """Sign in somebody who may do everything; return the client."""
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    return client
