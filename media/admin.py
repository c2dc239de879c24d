from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from media import services
from media.models import Avatar


@admin.register(Avatar)
class AvatarAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Avatars are looked at here, processed again and deleted; they come in through the profile page or the API."""

    list_display = ["preview", "owner", "status", "error_code", "kilobytes", "created_at", "updated_at"]
    list_display_links = ["preview", "owner"]
    list_filter = ["status", "error_code", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["=public_id", "owner__username", "=task_id", "=digest", "error_detail"]
    date_hierarchy = "created_at"
    actions = ["reprocess"]
    exclude = ["upload"]  # never shown, never served

    @admin.display(description="picture")
    def preview(self, avatar: Avatar) -> str:
        """The smallest size but one, at half its pixels for sharp screens."""
        for each in avatar.thumbnails.all():
            if each.size == 64:  # noqa: PLR2004
                return format_html('<img src="{}" width="32" height="32" alt="{}">', each.url, avatar)
        return "none"

    @admin.display(description="thumbnails")
    def thumbnails(self, avatar: Avatar) -> SafeString:
        """All of them, as they are served."""
        return format_html_join(
            " ",
            '<a href="{0}"><img src="{0}" width="{1}" height="{1}" alt="{2}" title="{2}, {3} bytes"></a>',
            ((each.url, each.size, str(each), each.bytes) for each in avatar.thumbnails.all()),
        )

    @admin.display(description="kB", ordering="bytes")
    def kilobytes(self, avatar: Avatar) -> int:
        """Of the upload."""
        return round(avatar.bytes / 1000)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Avatar]:
        return super().get_queryset(request).prefetch_related("thumbnails")

    def get_readonly_fields(self, request: HttpRequest, obj: Avatar | None = None) -> list[str]:  # noqa: ARG002
        fields = [field.name for field in Avatar._meta.fields if field.name != "upload"]  # noqa: SLF001
        return [*fields, "thumbnails"]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  a row alone has no picture
        return False

    def delete_model(self, request: HttpRequest, obj: Avatar) -> None:  # noqa: ARG002
        services.delete_avatar(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Avatar]) -> None:  # noqa: ARG002
        for avatar in queryset:
            services.delete_avatar(avatar)

    @admin.action(description="Process the selected avatars again", permissions=["change"])
    def reprocess(self, request: HttpRequest, avatars: QuerySet[Avatar]) -> None:
        enqueued = sum(services.reprocess_avatar(pk) for pk in avatars.values_list("pk", flat=True))
        self.message_user(request, f"{enqueued} avatars are being processed again.", messages.SUCCESS)
