from collections.abc import Iterable
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from proj.console import queue_page
from proj.console.dashboard import gather

#: Who may look at jobs may look at the dashboard.
LOOK = "jobs.view_job"
#: Scripts that make slugs out of titles as one types. No form of ours has one, and they are 52 kB of each page.
SLUGS = ("/urlify.js", "/prepopulate.js", "/xregexp.js", "/xregexp.min.js")


class Light:
    """What is taken from the pages of every model; a mixin."""

    @property
    def media(self) -> Media:
        media: Media = super().media  # type: ignore[misc]  # of the ModelAdmin that it is mixed into
        if self.prepopulated_fields:  # type: ignore[attr-defined]
            return media
        scripts = [each for each in media._js if not each.endswith(SLUGS)]  # type: ignore[attr-defined]  # noqa: SLF001
        return Media(css=media._css, js=scripts)  # type: ignore[attr-defined]  # noqa: SLF001


class ConsoleSite(AdminSite):
    """Django's admin, whose first page tells operators how things are."""

    site_header = "Corner Shop: back office"
    index_title = "How things are"
    enable_nav_sidebar = False  # lists of jobs need the width; the first page has everything

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        own = admin_class or ModelAdmin
        super().register(model_or_iterable, type(own.__name__, (Light, own), {}), **options)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        shown = {"dashboard": gather(request.user)} if request.user.has_perm(LOOK) else {}
        return super().index(request, {**shown, **(extra_context or {})})

    def get_urls(self) -> list[URLResolver | URLPattern]:
        ours = [
            path("dashboard/", self.admin_view(self.dashboard), name="dashboard"),
            path("queues/<str:name>/", self.admin_view(queue_page.QueuePage(self)), name="queue"),
        ]
        return [*ours, *super().get_urls()]

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        """The part of the first page that is asked for again and again."""
        if not request.user.has_perm(LOOK):
            raise PermissionDenied
        return TemplateResponse(request, "admin/console/dashboard.html", {"dashboard": gather(request.user)})
