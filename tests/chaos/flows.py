"""Work that a client asks for, in the transaction in which it promises it: what a web request does."""

import time
from collections.abc import Callable
from typing import Any, Final

from celery import chain, chord, group
from django.db import transaction

from proj.jobs.ledger.statements import run
from tests.chaos import faults, tasks
from tests.chaos.tasks import effects

PARTS, MANY = 10, 50

#: What each flow does in the end, by name of task.
EXPECTED: Final[dict[str, set[str]]] = {
    "single": {"one"},
    "chain": {"one", "two", "three"},
    "chord": {*(f"part{n}" for n in range(PARTS)), "body"},
    "group": {f"part{n}" for n in range(PARTS)},
    "flaky": {"one", "two"},
    "refused": set(),
    "later": {"one"},
    "many": {f"part{n}" for n in range(MANY)},
    "overdue": {"one", "two"},
    "poison": {f"part{n}" for n in range(10)},
    "reconnecting": {"one"},
    "nothing": set(),
}
#: How often bodies begin for it when nothing goes wrong.
RUNS: Final[dict[str, int]] = {
    **{flow: len(names) for flow, names in EXPECTED.items()},
    "flaky": 3,
    "refused": 1,
}


def single(case: str) -> None:
    tasks.effect.delay(case=case, name="one")


def later(case: str) -> None:
    tasks.effect.apply_async(kwargs={"case": case, "name": "one"}, countdown=0.5)


def many(case: str, count: int = MANY, seconds: float = 0.2) -> None:
    for number in range(count):
        tasks.effect.delay(case=case, name=f"part{number}", seconds=seconds)


def fan_in(case: str, count: int) -> None:
    header = [tasks.effect.si(case=case, name=f"part{n}") for n in range(count)]
    chord(header, tasks.gather.s(case=case, name="body")).delay()


def overdue(case: str) -> None:
    chain(tasks.overdue.si(case=case, name="one"), tasks.effect.si(case=case, name="two")).delay()


def poison(case: str, *, whole_worker: bool = False) -> None:
    tasks.poison.delay(case=case, name="one", whole_worker=whole_worker)
    for number in range(10):
        tasks.effect.delay(case=case, name=f"part{number}", seconds=0.1)


def reconnecting(case: str) -> None:
    tasks.reconnecting.delay(case=case, name="one")


def chain_of_three(case: str) -> None:
    chain(tasks.effect.si(case=case, name=name) for name in ("one", "two", "three")).delay()


def chord_of_ten(case: str) -> None:
    chord(
        [tasks.effect.si(case=case, name=f"part{n}") for n in range(PARTS)],
        tasks.gather.s(case=case, name="body"),
    ).delay()


def group_of_ten(case: str) -> None:
    group(tasks.effect.si(case=case, name=f"part{n}") for n in range(PARTS)).delay()


def flaky_then_more(case: str) -> None:
    chain(tasks.flaky.si(case=case, name="one"), tasks.effect.si(case=case, name="two")).delay()


def refused(case: str) -> None:
    tasks.refused.delay(case=case, name="one")


FLOWS: Final[dict[str, Callable[[str], None]]] = {
    "single": single,
    "chain": chain_of_three,
    "chord": chord_of_ten,
    "group": group_of_ten,
    "flaky": flaky_then_more,
    "refused": refused,
    "later": later,
    "many": many,
    "fan_in": fan_in,
    "overdue": overdue,
    "poison": poison,
    "reconnecting": reconnecting,
}


def ask(flow: str, case: str, **options: Any) -> None:
    """Promise a flow and enqueue it: both or neither."""
    faults.own_case = case
    with transaction.atomic():
        run("INSERT INTO chaos_promise (case_name, flow) VALUES (%s, %s)", [case, flow])
        FLOWS[flow](case, **options)


def ask_one_by_one(cases: list[str], *, at_once: bool = False) -> None:
    """Be a web server with several requests, and say how many seconds each took.

    ``at_once``: without a transaction around what is asked.
    """
    for case in cases:
        began = time.monotonic()
        if at_once:
            run("INSERT INTO chaos_promise (case_name, flow) VALUES (%s, 'single')", [case])
            single(case)
        else:
            ask("single", case)
        effects().write("answer", case=case, seconds=time.monotonic() - began)
