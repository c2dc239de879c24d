"""The console's own admins; Django looks for them here."""

from proj.console import audit_admin, operations_admin, rates_admin, results_admin

__all__ = ["audit_admin", "operations_admin", "rates_admin", "results_admin"]
