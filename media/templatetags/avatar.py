"""The picture that stands for a person in the header of every page, and what to do when one was refused."""

from django import template
from django.template.context import Context

from media.advice import ADVICE
from media.models import Avatar, Thumbnail

register = template.Library()


@register.simple_tag(takes_context=True)
def avatar_url(context: Context, size: int) -> str:
    """Return where the picture of the person who looks is served, or "" while there is none. One small query."""
    thumbnail = Thumbnail.objects.filter(
        avatar__owner=context["user"],
        avatar__status=Avatar.Status.READY,
        size=size,
        format=Thumbnail.Format.WEBP,
    ).first()
    return thumbnail.url if thumbnail else ""


@register.filter
def advice(code: str) -> str:
    """Return what a person can do about a refusal with this code, or ""."""
    return ADVICE.get(code, "")
