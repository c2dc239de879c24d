from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from proj.hooks.models import Endpoint


class SignedInRequest(HttpRequest):
    """What a view gets behind `login_required`."""

    user: User


def own_endpoint(request: SignedInRequest, public_id: UUID) -> Endpoint:
    """Return an endpoint of whoever asks; all others are a 404."""
    return get_object_or_404(Endpoint.objects.of(request.user.pk), public_id=public_id)
