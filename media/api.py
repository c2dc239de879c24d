"""Avatars over HTTP: upload, follow, delete."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import File, Form, Query, Router, Schema
from ninja.files import UploadedFile
from pydantic import Field

from media import services
from media.crops import Crop
from media.formats import MAX_SIDE
from media.live import AVATAR
from media.models import Avatar, Thumbnail
from media.wire import Refusal
from proj.api.describing import refused, shows
from proj.api.idempotency import Made, idempotent
from proj.api.paging import paginate
from proj.api.polling import look_again, revalidated
from proj.api.problems import Problem
from proj.live.answers import DESCRIBED, follow

router = Router(tags=["avatars"])

Status = Literal["queued", "processing", "ready", "rejected", "superseded"]


Begin = Annotated[int | None, Field(ge=0, lt=MAX_SIDE)]
Side = Annotated[int | None, Field(ge=1, le=MAX_SIDE)]


class CropIn(Schema):
    """The square to show, in pixels of the picture as people see it (upright). All three, or none for the middle."""

    crop_x: Begin = Field(None, description="Where the square begins, from the left edge.")
    crop_y: Begin = Field(None, description="Where it begins, from the top.")
    crop_size: Side = Field(None, description="How wide and high it is.")


class CropOut(Schema):
    x: int
    y: int
    size: int


class ThumbnailOut(Schema):
    size: int
    url: str
    width: int
    height: int
    bytes: int
    format: Literal["webp", "jpeg"]


class ErrorOut(Schema):
    code: str
    detail: str


_THUMBNAIL = {
    "size": 64,
    "url": "/uploads/3f/3f2a0000000000000000000000000000-64.webp",
    "width": 64,
    "height": 64,
    "bytes": 1490,
    "format": "webp",
}
_AVATAR = {
    "id": "6f1c2a52-8f0c-4b5e-9d0a-0c3f1f0f7a11",
    "status": "ready",
    "crop": {"x": 80, "y": 0, "size": 1200},
    "thumbnails": [_THUMBNAIL],
    "mail_thumbnail": None,
    "error": None,
    "task_id": "8f14e45f-ceea-467f-9d6e-3c9c6b1d2a10",
    "created_at": "2026-03-10T12:00:00Z",
    "updated_at": "2026-03-10T12:00:01Z",
}


class AvatarOut(Schema):
    model_config = shows(_AVATAR)

    id: UUID
    status: Status
    crop: CropOut | None
    thumbnails: list[ThumbnailOut]
    mail_thumbnail: ThumbnailOut | None
    error: ErrorOut | None
    task_id: str
    created_at: datetime
    updated_at: datetime


class AvatarPage(Schema):
    items: list[AvatarOut]
    next: str | None


class AvatarFilter(Schema):
    cursor: str | None = None
    limit: int = 50


NOT_THERE = "not_found: there is no such avatar, or it is somebody else's."


@router.post(
    "/avatars",
    response={202: AvatarOut},
    summary="Upload a picture",
    openapi_extra=refused(
        {
            413: "too_large: the picture has more than 10 MB.",
            422: "empty: the file is empty; or the request is not valid, or its key was used for another one.",
        }
    ),
)
@idempotent(AvatarOut)
def create_avatar(request: HttpRequest, image: File[UploadedFile], crop: Form[CropIn]) -> Made:
    """Accept a picture of at most 10 MB, and the square to show of it; Location says where to follow it.

    Whether the picture can be used, and whether the square lies within it, is found out then.
    """
    try:
        square = Crop.of(crop.crop_x, crop.crop_y, crop.crop_size)
        avatar = services.upload_avatar(request.user, image, square)  # type: ignore[arg-type]  # signed in, or we are not here
    except Refusal as refusal:
        raise Problem(413 if refusal.code == "too_large" else 422, refusal.code, refusal.detail) from refusal
    return Made(serialize(avatar), reverse("api:read_avatar", args=[avatar.public_id]))


@router.get("/avatars", response=AvatarPage, summary="Your avatars, newest first")
def list_avatars(request: HttpRequest, filters: Query[AvatarFilter]) -> dict[str, Any]:
    """Everything the caller has uploaded that has not been deleted."""
    avatars = Avatar.objects.of(request.user.pk or 0).with_thumbnails()
    return paginate(avatars, filters.cursor, filters.limit, serialize)


@router.get(
    "/avatars/{avatar_id}", response=AvatarOut, summary="One avatar", openapi_extra=refused({404: NOT_THERE})
)
@revalidated
def read_avatar(request: HttpRequest, avatar_id: UUID, response: HttpResponse) -> dict[str, Any]:
    """Its status; its thumbnails when it is ready; the reason when it was rejected."""
    avatar = find(request, avatar_id)
    if avatar.is_unfinished:
        look_again(response, avatar.created_at)
    return serialize(avatar)


@router.delete(
    "/avatars/{avatar_id}",
    response={204: None},
    summary="Delete an avatar",
    openapi_extra=refused({404: NOT_THERE}),
)
def delete_avatar(request: HttpRequest, avatar_id: UUID) -> None:
    """Delete it with all its files, also while it is being processed."""
    services.delete_avatar(find(request, avatar_id))


@router.get("/avatars/{avatar_id}/events", response={200: None}, openapi_extra=DESCRIBED)
def follow_avatar(request: HttpRequest, avatar_id: UUID) -> HttpResponseBase:
    """Follow an avatar by server-sent events: each says that something has changed, and its status."""
    return follow(request, AVATAR, find(request, avatar_id).pk, str(avatar_id))


def find(request: HttpRequest, avatar_id: UUID) -> Avatar:
    """Return the caller's own avatar; somebody else's does not exist for them (404)."""
    mine = Avatar.objects.of(request.user.pk or 0).with_thumbnails()
    return get_object_or_404(mine, public_id=avatar_id)


def serialize(avatar: Avatar) -> dict[str, Any]:
    """Return what clients read of an avatar."""
    thumbnails = list(avatar.thumbnails.all())
    mail = [describe(each) for each in thumbnails if each.format == Thumbnail.Format.JPEG]
    rejected = avatar.status == Avatar.Status.REJECTED
    return {
        "id": avatar.public_id,
        "status": avatar.status,
        "crop": avatar.crop._asdict() if avatar.crop else None,
        "thumbnails": [describe(each) for each in thumbnails if each.format == Thumbnail.Format.WEBP],
        "mail_thumbnail": mail[0] if mail else None,
        "error": {"code": avatar.error_code, "detail": avatar.error_detail} if rejected else None,
        "task_id": avatar.task_id,
        "created_at": avatar.created_at,
        "updated_at": avatar.updated_at,
    }


def describe(thumbnail: Thumbnail) -> dict[str, Any]:
    """Return what clients read of a thumbnail."""
    return {
        "size": thumbnail.size,
        "url": thumbnail.url,
        "width": thumbnail.width,
        "height": thumbnail.height,
        "bytes": thumbnail.bytes,
        "format": thumbnail.format,
    }
