# ruff: noqa: ARG002  the signatures are Django's
from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """A mixin for a ModelAdmin: everything can be seen, nothing changed but by its actions."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
