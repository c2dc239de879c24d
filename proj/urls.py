"""Every address of the project; the apps bring their own."""

from importlib import import_module

from django.contrib import admin
from django.contrib.auth import views as auth
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from ninja import NinjaAPI

from media.urls import uploads
from proj.api import problems
from proj.api.auth import AUTH
from proj.jobs import health

api = NinjaAPI(
    title="Shop",
    version="1",
    description="Orders, avatars, reports, and the background jobs behind them.",
    auth=AUTH,
    openapi_url="openapi.json",
    docs_url=None,
    urls_namespace="api",
)
problems.install(api)
for module in ("orders.api", "media.api", "reports.api", "proj.jobs.api"):
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
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("api/docs", api_docs, name="api-docs"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
