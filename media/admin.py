"""Avatars in the admin: what they look like, why one was refused, and its upload processed once more."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from media import services
from media.advice import ADVICE
from media.models import Avatar
from proj.jobs import audit
from proj.jobs.admin_links import job_link

#: Avatars in one request: each is a transaction of some five statements.
MOST = 100
#: Characters of a reason that are kept.
REASON_LENGTH = 500


def why_not(avatar: Avatar) -> str:
    """Return why an avatar cannot be processed again, as a sentence; empty if it can."""
    if avatar.is_unfinished:
        return "It is being processed."
    if avatar.status == Avatar.Status.SUPERSEDED:
        return "A newer one has taken its place."
    return "" if avatar.upload else "Its upload is not kept any more."


class RefusalFilter(admin.AllValuesFieldListFilter):
    """Why avatars were refused. Those that were not have no word to click on."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        return (choice for choice in super().choices(changelist) if choice["display"])


@admin.register(Avatar)
class AvatarAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for mypy only
    """Avatars are looked at here, processed again and deleted; they come in through the profile page or the API."""

    list_display = ["preview", "owner", "status", "refusal", "kilobytes", "created_at", "updated_at"]
    list_display_links = ["preview", "owner"]
    list_filter = ["status", ("error_code", RefusalFilter), "created_at"]
    list_select_related = ["owner"]
    search_fields = ["=public_id", "owner__username", "=task_id", "=digest", "error_detail"]
    date_hierarchy = "created_at"
    actions = ["reprocess"]
    exclude = ["upload", "task_id"]  # the upload is never shown, never served

    # --- what is shown ------------------------------------------------------------------------------------------------

    @admin.display(description="preview")
    def preview(self, avatar: Avatar) -> str:
        """The smallest size but one, at half its pixels for sharp screens."""
        for each in avatar.thumbnails.all():
            if each.size == 64:  # noqa: PLR2004
                return format_html(
                    '<img src="{}" width="32" height="32" alt="avatar of {}">', each.url, avatar.owner
                )
        return "none"

    @admin.display(description="thumbnails")
    def thumbnails(self, avatar: Avatar) -> SafeString:
        """All of them, as they are served."""
        return format_html_join(
            " ",
            '<a href="{0}"><img src="{0}" width="{1}" height="{1}" alt="{2}" title="{2}, {3} bytes"></a>',
            ((each.url, each.size, str(each), each.bytes) for each in avatar.thumbnails.all()),
        ) or format_html("{}", "none")

    @admin.display(description="why refused", ordering="error_code")
    def refusal(self, avatar: Avatar) -> str:
        """The code for us, and the sentence that its owner reads."""
        return f"{avatar.error_code}: {avatar.error_detail}" if avatar.error_code else "-"

    @admin.display(description="what its owner is advised")
    def advice(self, avatar: Avatar) -> str:
        return ADVICE.get(avatar.error_code, "-")

    @admin.display(description="job")
    def job(self, avatar: Avatar) -> str:
        """The task that processes it: while it is owed, and its result afterwards."""
        return job_link(avatar.task_id)

    @admin.display(description="kB", ordering="bytes")
    def kilobytes(self, avatar: Avatar) -> int:
        """Of the upload."""
        return round(avatar.bytes / 1000)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Avatar]:
        return super().get_queryset(request).prefetch_related("thumbnails")

    def get_readonly_fields(self, request: HttpRequest, obj: Avatar | None = None) -> list[str]:  # noqa: ARG002
        hidden = {"upload", "task_id"}
        fields = [field.name for field in Avatar._meta.fields if field.name not in hidden]  # noqa: SLF001
        return ["thumbnails", "refusal", "advice", "job", *fields]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        avatar: Avatar = context["original"]
        context |= {"may_reprocess": self.has_reprocess_permission(request), "why_not": why_not(avatar)}
        return super().render_change_form(request, context, *args, **options)

    # --- who may do what ----------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  a row alone has no picture
        return False

    def has_reprocess_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("media.change_avatar")

    # --- what is done -------------------------------------------------------------------------------------------------

    def delete_model(self, request: HttpRequest, obj: Avatar) -> None:
        self._delete(request, [obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Avatar]) -> None:
        self._delete(request, list(queryset))

    @staticmethod
    def _delete(request: HttpRequest, avatars: Sequence[Avatar]) -> None:
        for avatar in avatars:
            before = {"owner": avatar.owner_id, "status": avatar.status, "digest": avatar.digest}
            with transaction.atomic():
                audit.record(audit.by(request), "avatar.delete", f"avatar:{avatar.pk}", before=before)
                services.delete_avatar(avatar)

    @admin.action(description="Process the selected avatars again", permissions=["reprocess"])
    def reprocess(self, request: HttpRequest, avatars: QuerySet[Avatar]) -> HttpResponse | None:
        """Ask first, with which and why not the others; once that is confirmed, do it, with an entry in the audit log."""
        if not self.has_reprocess_permission(request):
            raise PermissionDenied
        chosen = list(avatars.select_related("owner").order_by("pk")[: MOST + 1])
        if len(chosen) > MOST:
            self.message_user(request, f"Choose at most {MOST} avatars at a time.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return self._ask(request, chosen)
        reason = request.POST.get("reason", "").strip()[:REASON_LENGTH]
        done = sum(self._reprocess(request, avatar, reason) for avatar in chosen)
        if done:
            text = f"{done} avatar{' is' if done == 1 else 's are'} being processed again."
            self.message_user(request, text, messages.SUCCESS)
        if left := len(chosen) - done:
            self.message_user(request, f"{left} could not be, and stayed as they were.", messages.WARNING)
        return None

    def _reprocess(self, request: HttpRequest, avatar: Avatar, reason: str) -> bool:
        """Enqueue it and write down who did so, or neither."""
        was = {"status": avatar.status, "error_code": avatar.error_code}
        with transaction.atomic():
            if not services.reprocess_avatar(avatar.pk):
                return False
            target = f"avatar:{avatar.pk}"
            audit.record(audit.by(request), "avatar.reprocess", target, reason=reason, before=was)
        return True

    def _ask(self, request: HttpRequest, chosen: Sequence[Avatar]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Process these avatars again?",
            "possible": [avatar for avatar in chosen if not why_not(avatar)],
            "impossible": [(avatar, why_not(avatar)) for avatar in chosen if why_not(avatar)],
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "reason_length": REASON_LENGTH,
        }
        return TemplateResponse(request, "admin/media/avatar/reprocess.html", context)
