"""Faults on demand and by seed: what goes wrong between the provider and its merchants, as rules.

A rule says which fault, for which requests or webhooks, how often and with what chance. The first rule that fits
decides. Chance is drawn from the seed, the place of the rule, what is asked (the idempotency key, if there is one)
and how often it has been asked: two runs with the same seed and the same questions see the same faults, in whatever
order their threads ask.
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orders.payments.sandbox.books import Document
from orders.payments.sandbox.errors import InvalidRequest


class Fault(StrEnum):
    DROP_BEFORE = "drop_before"  # the connection ends and nothing was done
    DROP_AFTER = (
        "drop_after"  # it is done, the answer is kept for its key, and the connection ends without it
    )
    ERROR_BEFORE = "error_before"  # 500; nothing was done, and nothing is kept
    ERROR_AFTER = "error_after"  # it is done, and 500 is what is kept for its key and given again each time
    RATE_LIMIT = "rate_limit"  # 429; nothing was done, and nothing is kept
    DELAY = "delay"  # it is done `seconds` later, the key being in use meanwhile
    WEBHOOK_DUPLICATE = "webhook_duplicate"  # delivered `copies` times
    WEBHOOK_REORDER = "webhook_reorder"  # what one request caused is delivered the last first, and later
    WEBHOOK_DELAY = "webhook_delay"  # delivered `seconds` later
    WEBHOOK_EARLY = "webhook_early"  # delivered before the request that caused it is answered


ANY = "any"  # one of them all, drawn by seed
OF_WEBHOOKS = (Fault.WEBHOOK_DELAY, Fault.WEBHOOK_DUPLICATE, Fault.WEBHOOK_REORDER)
OF_ANSWERS = (Fault.WEBHOOK_EARLY,)
OF_REQUESTS = tuple(sorted(set(Fault) - set(OF_WEBHOOKS) - set(OF_ANSWERS)))
FIELDS = frozenset(("chance", "copies", "event", "fault", "method", "path", "seconds", "times"))


@dataclass(slots=True)
class Rule:
    """`path` and `event` (the type of a webhook's event) are searched for as regular expressions; empty fits all.

    `times` is how often it still strikes, None for ever; `chance` is between 0 and 1.
    """

    fault: str
    path: str = ""
    method: str = ""
    event: str = ""
    times: int | None = None
    chance: float = 1.0
    seconds: float = 1.0
    copies: int = 2

    def fits(self, method: str, path: str, event: str) -> bool:
        return (
            self.times != 0
            and self.method in {"", method}
            and re.search(self.path, path) is not None
            and re.search(self.event, event) is not None
        )

    def shown(self) -> Document:
        return {name: getattr(self, name) for name in sorted(FIELDS)}


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that strikes now, with the numbers of its rule."""

    fault: Fault
    seconds: float
    copies: int


@dataclass
class Faults:
    """The rules in force. Threads may ask at the same time."""

    seed: int = 0
    rules: list[Rule] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)  # how often each fault has, since the start
    _asked: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def replace(self, rules: Sequence[Rule]) -> None:
        with self._lock:
            self.rules = list(rules)
            self._asked.clear()

    def strike(
        self, among: Sequence[Fault], asked: str, *, method: str = "", path: str = "", event: str = ""
    ) -> Strike | None:
        """The fault, one of `among`, that strikes what is `asked`, or None."""
        with self._lock:
            if not self.rules:
                return None
            self._asked[asked] += 1
            for place, rule in enumerate(self.rules):
                if (rule.fault != ANY and rule.fault not in among) or not rule.fits(method, path, event):
                    continue
                # Not for secrets.
                draw = random.Random(f"{self.seed} {place} {self._asked[asked]} {asked}")  # noqa: S311
                if draw.random() >= rule.chance:
                    continue
                if rule.times is not None:
                    rule.times -= 1
                chosen = draw.choice(among) if rule.fault == ANY else Fault(rule.fault)
                self.struck[chosen] += 1
                return Strike(chosen, rule.seconds, rule.copies)
        return None


def parse_rules(document: Any) -> list[Rule]:
    """The rules of a JSON list; InvalidRequest says what is wrong with it."""
    if not isinstance(document, list):
        raise InvalidRequest("Faults are a JSON list of rules.")
    return [parse_rule(rule) for rule in document]


def parse_rule(document: Any) -> Rule:
    if not isinstance(document, Mapping) or not {"fault"} <= set(document) <= FIELDS:
        raise InvalidRequest(f"A rule is an object with fault and any of {', '.join(sorted(FIELDS))}.")
    rule = Rule(**document)
    if rule.fault not in {ANY, *Fault}:
        raise InvalidRequest(f"Unknown fault: {rule.fault}. There are {', '.join(sorted(Fault))} and {ANY}.")
    try:
        re.compile(rule.path), re.compile(rule.event)
        sound = 0 <= rule.chance <= 1 and rule.seconds >= 0 and rule.copies >= 1 and (rule.times or 0) >= 0
    except (re.error, TypeError) as error:
        raise InvalidRequest(f"Invalid rule: {error}") from error
    if not sound:
        raise InvalidRequest("A rule's chance is from 0 to 1, its copies at least 1, the rest at least 0.")
    return rule
