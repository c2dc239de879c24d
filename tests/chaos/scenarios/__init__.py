"""What may happen to a job ledger, scenario by scenario, each with the guard that it is about."""

from tests.chaos.scenarios.scenario import Scenario, scenario

__all__ = ["Scenario", "scenario"]
