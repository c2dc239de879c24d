from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from proj.console import queue_page
from proj.console.dashboard import gather

#: Who may look at jobs may look at the dashboard.
LOOK = "jobs.view_job"


class ConsoleSite(AdminSite):
    """Django's admin, whose first page tells operators how things are."""

    site_header = "Corner Shop: back office"
    index_title = "How things are"
    enable_nav_sidebar = False  # lists of jobs need the width; the first page has everything

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
