"""The profile page, which shows and follows a person's avatar, and the thumbnails for everybody."""

from typing import Any, NamedTuple, Self

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.middleware import HtmxDetails

from media.forms import AvatarForm
from media.models import PUBLIC, Avatar
from media.services import delete_avatars_of, upload_avatar
from media.wire import SIZES

#: Decided by us from the name that we gave, never by guessing from the bytes.
CONTENT_TYPES = {"webp": "image/webp", "jpeg": "image/jpeg"}


class SignedInRequest(HttpRequest):
    """What a view gets behind ``login_required``."""

    user: User
    htmx: HtmxDetails


class Profile(NamedTuple):
    """What the profile page shows: the avatar in use, and what became of the newest upload."""

    current: Avatar | None
    newest: Avatar | None

    @classmethod
    def of(cls, owner_id: int) -> Self:
        """Read a person's profile, in two queries and the thumbnails."""
        avatars = Avatar.objects.of(owner_id)
        return cls(avatars.ready().with_thumbnails().first(), avatars.order_by("-pk").first())

    @property
    def working(self) -> bool:
        """Whether the newest upload is still being worked on."""
        return self.newest is not None and self.newest.is_unfinished

    @property
    def refused(self) -> bool:
        """Whether the newest upload was refused."""
        return self.newest is not None and self.newest.status == Avatar.Status.REJECTED

    @property
    def sizes(self) -> tuple[int, ...]:
        """Which thumbnails there will be."""
        return SIZES


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: SignedInRequest) -> HttpResponse:
    """Show a person's avatar, and take a new one.

    A script that sends the form gets the parts of the page that have changed: the avatar, or what is wrong.
    """
    if request.method != "POST":
        return _show(request, "media/profile.html", form=AvatarForm())
    form = AvatarForm(request.POST, request.FILES)
    if not form.is_valid():
        if request.htmx:
            return render(request, "media/_upload_errors.html", {"form": form}, status=422)
        return _show(request, "media/profile.html", form=form, status=422)
    upload_avatar(request.user, form.cleaned_data["image"], form.cleaned_data["crop"])
    if request.htmx:
        return _show(request, "media/_avatar.html", status=202)
    return redirect("media:profile")


@never_cache
@login_required
@require_safe
def avatar(request: SignedInRequest) -> HttpResponse:
    """The part of the profile page that changes while an upload is processed.

    Asked for only while one is: thumbnails that are there now are new, and appear one after another.
    """
    return _show(request, "media/_avatar.html", fresh=True)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest) -> HttpResponse:
    """Ask whether to delete the avatar, and delete it with everything that was uploaded for it."""
    if request.method != "POST":
        shown = Profile.of(request.user.pk)
        if shown.newest is None:
            messages.info(request, "You have no picture, so there is nothing to delete.")
            return redirect("media:profile")
        return render(request, "media/delete.html", {"profile": shown})
    if delete_avatars_of(request.user.pk):
        messages.success(request, "Your picture is deleted.")
    return redirect("media:profile")


@require_safe
def thumbnail(request: HttpRequest, name: str, extension: str) -> FileResponse:  # noqa: ARG001
    """Serve a thumbnail to whoever knows its address, which has 128 random bits.

    Its bytes are our own encoder's, and still it is served as if they were not: as an image and nothing else, and
    without any right to run or load anything. A file never changes, so it may be cached for ever.
    """
    try:
        file = storages[PUBLIC].open(f"{name}.{extension}")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(
        file,
        content_type=CONTENT_TYPES[extension],
        headers={
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Disposition": "inline",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-site",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _show(request: SignedInRequest, template: str, status: int = 200, **context: Any) -> HttpResponse:
    return render(request, template, {"profile": Profile.of(request.user.pk), **context}, status=status)
