from django.db.models import Model
from django.forms import Media
from django.urls import reverse
from django.utils.html import format_html

from proj.jobs import admin_readonly

#: The scripts of lists and their actions. Those of forms, and jQuery for them, have nothing to do: 38 kB.
NEEDED = ("/core.js", "/actions.js")


class ReadOnly(admin_readonly.ReadOnly):
    """For what only services write: everything can be seen, nothing changed."""

    @property
    def media(self) -> Media:
        media = super().media  # type: ignore[misc]  # of the ModelAdmin, or the inline, that it is mixed into
        return Media(css=media._css, js=[each for each in media._js if each.endswith(NEEDED)])  # noqa: SLF001


def link(row: Model, text: object = None) -> str:
    """Return a link to the page of a row in the admin; its text is the row's own unless another is given."""
    meta = row._meta  # noqa: SLF001  Django's documented API in spite of its name
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row if text is None else text)
