"""What holds for the pages of every model in the admin."""

import re

import pytest
from django.contrib import admin

from proj.console.site import SLUGS
from tests.factories import make_order

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["orders/product/", "orders/product/add/", "django_celery_beat/periodictask/", "auth/user/"]
)
def test_scripts_that_make_slugs_are_loaded_by_no_page(admin_client, path):
    page = admin_client.get(f"/admin/{path}").text

    assert [script for script in SLUGS if script in page] == []
    assert "/core.js" in page


def test_and_no_form_would_need_them():
    assert [model for model, own in admin.site._registry.items() if own.prepopulated_fields] == []


def test_a_form_that_does_gets_them(monkeypatch):
    [own] = [own for model, own in admin.site._registry.items() if model._meta.label == "orders.Product"]
    monkeypatch.setattr(own, "prepopulated_fields", {"sku": ["name"]}, raising=False)

    assert "/urlify.js" in str(own.media)


def test_what_can_only_be_looked_at_has_the_scripts_of_lists_alone(admin_client):
    scripts = re.findall(
        r'<script[^>]+src="[^"]*/([\w.]+\.js)"',
        admin_client.get(f"/admin/orders/order/{make_order().pk}/change/").text,
    )

    assert scripts == ["theme.js", "core.js", "actions.js", "change_form.js"]
