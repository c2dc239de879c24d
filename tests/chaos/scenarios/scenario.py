"""A scenario: what is done to the system, and what must hold all the same."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from tests.chaos.stage import Stage


class Play(NamedTuple):
    """One performance of a scenario: its stage, and what the processes have to do without."""

    stage: Stage
    guards_off: tuple[str, ...]
    #: Seconds to wait for the end. With a guard off it may never come.
    patience: float
    #: Of the long form: more of everything.
    long: bool

    def worker(self, name: str = "worker", **how: Any) -> Any:
        return self.stage.worker(name, guards_off=self.guards_off, **how)

    def beat(self, name: str = "beat", **how: Any) -> Any:
        return self.stage.beat(name, guards_off=self.guards_off, **how)

    def client(self, flow: str, case: str, options: dict[str, Any] | None = None, **how: Any) -> Any:
        return self.stage.client(flow, case, options, guards_off=self.guards_off, **how)

    def judged(self, *cases: str, since: float | None = None) -> "Outcome":
        """Wait for the end of some cases, then judge them; ``since`` is when they were harmed."""
        self.stage.settle(self.patience)
        verdicts = [self.stage.verdict(case, since=since) for case in cases]
        seconds = [verdict.recovered for verdict in verdicts if verdict.recovered is not None]
        problems = [problem for verdict in verdicts for problem in verdict.problems]
        problems += [f"{verdict.case} was never asked for" for verdict in verdicts if not verdict.promised]
        return Outcome(problems, max(seconds, default=None))

    def runs(self, case: str, name: str | None = None) -> int:
        """Count how often bodies of a case have begun."""
        wanted = {"kind": "start", "case": case} | ({"name": name} if name else {})
        return len(self.stage.effects.read(**wanted))


class Outcome(NamedTuple):
    """What a performance came to: ``problems`` is empty when everything held."""

    problems: list[str]
    seconds: float | None = None  # from the harm until all was well; None when there is no such moment

    def but(self, holds: bool, problem: str) -> "Outcome":  # noqa: FBT001  reads as a sentence
        """Return this with another problem, unless something ``holds``."""
        return self if holds else self._replace(problems=[*self.problems, problem])


class Scenario(NamedTuple):
    """``act`` performs it. ``guards`` are what it is about: without them it fails."""

    name: str
    guards: tuple[str, ...]
    act: Callable[[Play], Outcome]
    #: Whether it is in the short form; its control too.
    short: bool


Act = TypeVar("Act", bound=Callable[[Play], Outcome])
SCENARIOS: Final[list[Scenario]] = []


def scenario(name: str, *guards: str, short: bool = False) -> Callable[[Act], Act]:
    """Make a function a scenario."""

    def add(act: Act) -> Act:
        SCENARIOS.append(Scenario(name, guards, act, short))
        return act

    return add
