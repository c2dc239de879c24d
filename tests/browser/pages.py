"""Every page: who sees it, and where it is in the scene. Pages of the admin's models are found, not listed."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from django.contrib import admin

from tests.browser.scene import Scene
from tests.browser.shop import Person


class PageOf(NamedTuple):
    """A page; `path` may name parts of the scene. `status` is what it is answered with."""

    name: str
    who: str
    path: str
    status: int = 200


PAGES = [
    PageOf("shop", "", "/"),
    PageOf("search", "", "/?q=bag"),
    PageOf("search-without-result", "", "/?q=zeppelin"),
    PageOf("no-such-page", "", "/nowhere/", 404),
    PageOf("sign-in", "", "/accounts/login/?next=/cart/"),
    PageOf("sign-up", "", "/accounts/signup/"),
    PageOf("forgotten-password", "", "/accounts/password/reset/"),
    PageOf("shop-signed-in", "shopper", "/"),
    PageOf("cart", "shopper", "/cart/"),
    PageOf("cart-empty", "staff", "/cart/"),
    PageOf("orders", "shopper", "/orders/"),
    PageOf("orders-none", "staff", "/orders/"),
    PageOf("order-completed", "shopper", "/orders/{completed}/"),
    PageOf("order-declined", "shopper", "/orders/{declined}/"),
    PageOf("order-refunded", "shopper", "/orders/{refunded}/"),
    PageOf("order-waiting", "shopper", "/orders/{waiting}/"),
    PageOf("order-cancel", "shopper", "/orders/{waiting}/cancel/"),
    PageOf("order-too-late", "shopper", "/orders/{completed}/cancel/"),
    PageOf("profile", "shopper", "/profile/"),
    PageOf("profile-without-picture", "staff", "/profile/"),
    PageOf("profile-delete", "shopper", "/profile/delete/"),
    PageOf("account", "shopper", "/accounts/"),
    PageOf("account-is-it-you", "shopper", "/accounts/reauthenticate/"),
    PageOf("account-address", "shopper", "/accounts/email/"),
    PageOf("account-password", "shopper", "/accounts/password/change/"),
    PageOf("account-two-steps", "shopper", "/accounts/2fa/"),
    PageOf("account-two-steps-on", "staff", "/accounts/2fa/totp/activate/"),
    PageOf("account-two-steps-off", "shopper", "/accounts/2fa/totp/deactivate/"),
    PageOf("account-recovery-codes", "shopper", "/accounts/2fa/recovery-codes/"),
    PageOf("account-security-keys", "shopper", "/accounts/2fa/webauthn/"),
    PageOf("account-tokens", "shopper", "/accounts/tokens/"),
    PageOf("webhooks", "shopper", "/hooks/"),
    PageOf("account-revoke", "shopper", "/accounts/tokens/{token}/revoke/"),
    PageOf("reports", "admin", "/reports/"),
    PageOf("report", "admin", "/reports/{report}/"),
    PageOf("admin-dashboard", "admin", "/admin/"),
    PageOf("admin-queue", "admin", "/admin/queues/io/"),
    PageOf("admin-queue-at-work", "admin", "/admin/queues/bulk/"),
    PageOf("admin-job-dead", "admin", "/admin/jobs/job/{job}/change/"),
    PageOf("admin-order-refund", "admin", "/admin/orders/order/{order_pk}/refund/"),
    PageOf("admin-order", "admin", "/admin/orders/order/{order_pk}/change/"),
]
#: Apps of which the admin is as they came, but for our style sheet; their pages cost a minute and tell nothing new.
AS_THEY_CAME = {"account", "auth", "mfa"}
#: Models in Django's admin, which has two pages for each: the list, and one row.
MODELS = sorted(
    model._meta.label_lower for model in admin.site._registry if model._meta.app_label not in AS_THEY_CAME
)


def model_pages(label: str) -> list[PageOf]:
    path = f"/admin/{label.replace('.', '/')}/"
    return [PageOf(f"admin-{label}", "admin", path), PageOf(f"admin-{label}-row", "admin", f"{path}*")]


ALL = [*PAGES, *(page for label in MODELS for page in model_pages(label))]


def path_of(page: PageOf, scene: Scene, admin_person: Person) -> str:
    """Return where a page is; "" for the row of a list that has none."""
    path = page.path.format(**vars(scene))
    if not path.endswith("*"):
        return path
    rows = re.findall(rf'href="({re.escape(path[:-1])}[^/"?]+/change/)', admin_person.get(path[:-1]).text)
    return rows[0] if rows else ""


def names() -> Iterator[str]:
    for page in ALL:
        yield page.name
