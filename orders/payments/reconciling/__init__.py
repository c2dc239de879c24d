"""Reconciliation: the provider against payments against orders against the books against stock.

Each kind of difference is one small check (`*_checks`) and, where our own records can be brought to what the provider
says, one repair (`*_repairs`). Checks are told everything and ask nobody; `comparing` feeds them, `noting` keeps the
incidents, `repairing` mends them when somebody asks for it. Nothing is repaired by itself.
"""

from orders.payments.reconciling.difference import GRACE, Difference, NotRepaired, Window
from orders.payments.reconciling.noting import accept
from orders.payments.reconciling.repairing import can_repair, look_again, repair
from orders.payments.reconciling.running import Repaired, Report, reconcile, repair_all, repairable

__all__ = [
    "GRACE",
    "Difference",
    "NotRepaired",
    "Repaired",
    "Report",
    "Window",
    "accept",
    "can_repair",
    "look_again",
    "reconcile",
    "repair",
    "repair_all",
    "repairable",
]
