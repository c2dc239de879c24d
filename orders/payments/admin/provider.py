# ruff: noqa: ARG002  the signatures are Django's
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format

from orders.payments import breaker, gate
from orders.payments.models import Provider
from proj.jobs.admin_audit import Audited


@admin.register(Provider)
class ProviderAdmin(Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """How we treat the provider, which holds from the next call on; and how it is doing."""

    audited_as = "provider"
    list_display = ["name", "health", "calls_per_second", "paused", "opens_after"]
    fields = [
        "name",
        "health",
        ("paused", "calls_per_second", "opens_after"),
        ("failures", "last_error"),
        ("down_since", "next_probe_at", "recovered_at"),
    ]
    readonly_fields = [
        "name",
        "health",
        "failures",
        "last_error",
        "down_since",
        "next_probe_at",
        "recovered_at",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the next call would make it again, without what staff have set

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        gate.provider()  # may be paused before the first call
        return super().changelist_view(request, extra_context)

    def store_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:  # noqa: FBT001
        obj.save(update_fields=form.changed_data)  # its health goes on changing while the form is open

    def health(self, provider: Provider) -> str:
        """In one line, for people."""
        if provider.paused:
            return "paused by staff"
        if provider.down_since is not None:
            return (
                f"down since {_moment(provider.down_since)}, tried again at {_moment(provider.next_probe_at)}"
            )
        pace = breaker.pace(provider)
        if pace < provider.calls_per_second:
            return f"back, at {pace} calls a second so far"
        if provider.failures:
            return f"up, but the last {provider.failures} calls were not answered"
        return "up"


def _moment(moment: Any) -> str:
    return (
        date_format(timezone.localtime(moment), "j M Y H:i:s") if moment is not None else "once it is asked"
    )
