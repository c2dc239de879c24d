"""Every address of the project; the apps bring their own."""

from importlib import import_module

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from media.urls import uploads
from proj.api import problems, rate
from proj.api.auth import AUTH
from proj.api.document import DocumentedApi
from proj.jobs import health

api = DocumentedApi(
    title="Shop",
    version="1",
    description="Orders, avatars, reports, and the background jobs behind them.",
    auth=AUTH,
    throttle=rate.PerCaller(),
    openapi_url="openapi.json",
    docs_url=None,
    urls_namespace="api",
)
problems.install(api)
rate.install(api)
for module in ("orders.api", "media.api", "reports.api", "proj.jobs.api", "proj.hooks.api"):
    api.add_router("", import_module(module).router)


def api_docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI over the API, from our own host."""
    return api.docs.render_page(request, api)


urlpatterns = [
    path("", include("orders.urls")),
    path("", include("orders.payments.urls")),
    path("profile/", include("media.urls")),
    path("uploads/", include(uploads)),
    path("reports/", include("reports.urls")),
    path("hooks/", include("proj.hooks.urls")),
    path("accounts/", include("proj.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    # Staff sign in where everybody does, with their second factor and under the same limits.
    path("admin/login/", secure_admin_login(admin.site.login)),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("api/docs", api_docs, name="api-docs"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]

# What django-allauth answers to one try too many.
handler429 = "proj.accounts.views.too_many_requests"
