"""Pages about one's own account that django-allauth does not have, and the answer to too many tries."""

from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from proj.accounts.limits import too_many
from proj.accounts.token_form import TokenForm


class SignedInRequest(HttpRequest):
    """What a view gets behind `login_required`."""

    user: User


@login_required
@require_GET
def overview(request: SignedInRequest) -> HttpResponse:
    """One's account at a glance, with a way to everything that can be changed."""
    addresses = list(EmailAddress.objects.filter(user=request.user).order_by("-primary", "pk"))
    context = {
        "address": addresses[0] if addresses else None,
        "has_second_factor": is_mfa_enabled(request.user),
        "tokens": request.user.api_tokens.count(),
    }
    return render(request, "accounts/overview.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
@reauthentication_required(allow_get=True, app="allauth.account")  # type: ignore[untyped-decorator]
def tokens(request: SignedInRequest) -> HttpResponse:
    """One's API tokens. A new one is in the answer to the form that asked for it, and nowhere else.

    A token passes by the password and the second factor, so whoever wants one shows the password again.
    """
    form = TokenForm(request.user, request.POST if request.method == "POST" else None)
    token, text = form.issue() if form.is_bound and form.is_valid() else (None, "")
    context = {
        "form": TokenForm(request.user) if token else form,
        "token": token,
        "text": text,
        "tokens": request.user.api_tokens.order_by("-pk"),
    }
    return render(request, "accounts/tokens.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def revoke_token(request: SignedInRequest, pk: int) -> HttpResponse:
    """Ask, then revoke one token of one's own: the next call with it is refused."""
    token = get_object_or_404(request.user.api_tokens, pk=pk)
    if request.method != "POST":
        return render(request, "accounts/revoke_token.html", {"token": token})
    token.delete()
    messages.success(request, f"“{token}” is revoked. Programs that use it are refused from now on.")
    return redirect("accounts:tokens")


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """What django-allauth answers to one try too many."""
    return too_many(request)
