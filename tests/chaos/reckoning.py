"""How a soak ends: does it all add up?"""

import time
from collections import Counter
from collections.abc import Sequence

from django.contrib.auth import get_user_model
from django_celery_results.models import TaskResult

from media.models import Avatar
from proj.api.models import Token
from proj.demo import sample
from proj.demo.client import Customer
from proj.demo.provider import captured_charges
from proj.demo.reckoning import Check, check_avatars, check_jobs, check_money, check_orders, check_stock
from proj.demo.shoppers import Watched
from proj.jobs.models import Chord, Job
from proj.servers.launch import System
from tests.chaos.crowd import Crowd, insist

SETTLE_SECONDS = 30.0  # the last jobs end a moment after what they are about


def customers(url: str, number: int) -> list[Customer]:
    """Return new people with tokens."""
    users = get_user_model().objects
    people = [
        users.create_user(name, f"{name}@example.com") for name in (f"person{n:05}" for n in range(number))
    ]
    return [Customer(url, Token.issue(person)[1]) for person in people]


def watch(everything: Sequence[Watched], seconds: float) -> list[Watched]:
    """Look at everything until it has ended, for at most so many seconds; return what has not."""
    deadline = time.monotonic() + seconds
    left = list(everything)
    while left and time.monotonic() < deadline:
        for each in left:
            insist(each.look)
        left = [each for each in left if not each.has_ended]
    return left


def reckon(system: System, crowd: Crowd, left: Sequence[Watched]) -> list[Check]:
    """Compare both sides of everything, until they agree or have had their time."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        checks = _reckon(system, crowd, left)
        if all(check.agrees for check in checks) or time.monotonic() > deadline:
            return checks
        time.sleep(1)


def _reckon(system: System, crowd: Crowd, left: Sequence[Watched]) -> list[Check]:
    orders = [each for each in crowd.asked if each.is_order]
    pictures = [each for each in crowd.asked if not each.is_order]
    products = sample.products()
    owed = Counter(f"{task} {state}" for task, state in Job.objects.values_list("task", "state"))
    in_use = Avatar.objects.ready()
    superseded = [each for each in pictures if each.status == "superseded"]  # somebody asked twice
    return [
        Check("wishes that were refused", [], crowd.refusals),
        Check("wishes that have not ended", 0, len(left)),
        *check_orders(orders, products),
        *check_money(orders, captured_charges(system.payments_url)),
        *check_stock(products),
        *check_avatars([each for each in pictures if each not in superseded]),
        Check("people with a picture in use", len(pictures), in_use.values("owner").distinct().count()),
        Check("pictures in use", len(pictures), in_use.count()),
        *check_jobs(),
        Check("jobs that are owed or dead", {}, dict(owed)),
        Check("chords that are open", 0, Chord.objects.count()),
        Check("results of one job, stored twice", 0, _twice()),
    ]


def _twice() -> int:
    counted = Counter(TaskResult.objects.values_list("task_id", flat=True))
    return sum(1 for number in counted.values() if number > 1)
