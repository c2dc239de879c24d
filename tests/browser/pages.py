"""Every page: who sees it, and where it is in the scene. Pages of the admin's models are found, not listed."""

import re
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
    PageOf("account-revoke", "shopper", "/accounts/tokens/{token}/revoke/"),
    PageOf("webhooks", "shopper", "/hooks/"),
    PageOf("webhooks-none", "staff", "/hooks/"),
    PageOf("webhook", "shopper", "/hooks/{endpoint}/"),
    PageOf("webhook-edit", "shopper", "/hooks/{endpoint}/edit/"),
    PageOf("webhook-secret", "shopper", "/hooks/{endpoint}/secret/"),
    PageOf("webhook-off", "shopper", "/hooks/{endpoint}/off/"),
    PageOf("webhook-delete", "shopper", "/hooks/{endpoint}/delete/"),
    PageOf("webhook-replay", "shopper", "/hooks/{endpoint}/replay/"),
    PageOf("webhook-delivery", "shopper", "/hooks/{endpoint}/{delivery}/"),
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
#: Kinds of schedules that the shop has none of, and whose forms are as they came; and those of which a row is among `PAGES`.
WITHOUT_ROW = {f"django_celery_beat.{kind}schedule" for kind in ("clocked", "interval", "solar")}
WITHOUT_ROW |= {"jobs.job", "orders.order"}
#: Models in Django's admin, which has two pages for each: the list, and one row.
MODELS = sorted(
    model._meta.label_lower for model in admin.site._registry if model._meta.app_label not in AS_THEY_CAME
)


def model_pages(label: str) -> list[PageOf]:
    path = f"/admin/{label.replace('.', '/')}/"
    pages = [PageOf(f"admin-{label}", "admin", path), PageOf(f"admin-{label}-row", "admin", f"{path}*")]
    return pages[:1] if label in WITHOUT_ROW else pages


ALL = [*PAGES, *(page for label in MODELS for page in model_pages(label))]


def path_of(page: PageOf, scene: Scene, admin_person: Person) -> str:
    """Return where a page is."""
    path = page.path.format(**vars(scene))
    if not path.endswith("*"):
        return path
    rows = re.findall(rf'href="({re.escape(path[:-1])}[^/"?]+/change/)', admin_person.get(path[:-1]).text)
    assert rows, f"{path[:-1]} lists nothing"
    return rows[0]
