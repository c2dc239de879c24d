"""Work that a client asks for, in the transaction in which it promises it: what a web request does."""

from collections.abc import Callable
from typing import Final

from celery import chain, chord, group
from django.db import transaction

from proj.jobs.ledger.statements import run
from tests.chaos import faults, tasks

PARTS = 10

#: What each flow does in the end, by name of task.
EXPECTED: Final[dict[str, set[str]]] = {
    "single": {"one"},
    "chain": {"one", "two", "three"},
    "chord": {*(f"part{n}" for n in range(PARTS)), "body"},
    "group": {f"part{n}" for n in range(PARTS)},
    "flaky": {"one", "two"},
    "refused": set(),
    "nothing": set(),
}


def single(case: str, seconds: float = 0) -> None:
    tasks.effect.delay(case=case, name="one", seconds=seconds)


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
}


def ask(flow: str, case: str) -> None:
    """Promise a flow and enqueue it: both or neither."""
    faults.own_case = case
    with transaction.atomic():
        run("INSERT INTO chaos_promise (case_name, flow) VALUES (%s, %s)", [case, flow])
        FLOWS[flow](case)
    faults.strike("answer")
