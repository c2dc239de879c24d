"""``Idempotency-Key``: who does not know whether a request arrived sends it again, and it is carried out once.

The key, the answer to keep, and all that the request does are one transaction. So there is no moment in which the key is
taken and nothing is done, or something is done and the key is free, whenever the process dies; and nothing to clean up.
Whoever asks with a key that is being worked on is told so (409) by a lock that ends with that transaction.

What was carried out is kept, and what was refused for good. Not kept is what may pass: that somebody may not do this or has
asked too often, that something is busy or went wrong; nor a request that was no valid one, which may be mended.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, NamedTuple, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.utils import timezone
from ninja import Header, Schema
from ninja.renderers import JSONRenderer
from ninja.utils import contribute_operation_args, contribute_operation_callback

from proj.api.describing import describe, problem
from proj.api.models import KeptAnswer
from proj.api.problems import Problem

#: As long as payment providers keep theirs; a client that still repeats a request after a day means a new one.
KEPT = timedelta(hours=24)
#: Refusals that stay: the same request would be refused again.
LASTING = frozenset({404, 410, 413, 415, 422})
#: Seconds. The work of a request is some rows; the whole of it is over in a fraction of this.
BUSY_SECONDS = 1
REPLAYED = "Idempotent-Replayed"  # as Stripe calls it

_KEY: Any = Header(  # type: ignore[type-arg]  # generic for mypy only
    None,
    alias="Idempotency-Key",
    description=(
        "1 to 255 printable ASCII characters of your choice, such as a UUID. The same key with the same request gets "
        "the same answer for 24 hours, and nothing is done twice."
    ),
    example="0b2f7c1e-6a1d-4c59-9d6e-2d1f6a3c9b10",
)

_REFUSALS = {
    409: problem(
        "idempotency_in_flight: the first request with this key has not ended; ask again after Retry-After."
    ),
    422: problem(
        "invalid: the request is not valid, or (idempotency_mismatch) its key was used for another one."
    ),
}


class Made(NamedTuple):
    """What an operation has made: what the schema makes the answer's body of, and where to follow it."""

    thing: Any
    location: str


def idempotent(schema: type[Schema], *, by_alias: bool = False) -> Callable[[Callable[..., Made]], Any]:
    """Make an operation that accepts something (202) heed ``Idempotency-Key``.

    Args:
        schema: of the answer's body.
        by_alias: whether the body's fields go by the schema's aliases.
    """

    def decorate(view: Callable[..., Made]) -> Any:
        @wraps(view)
        def answer(
            request: HttpRequest, *args: Any, idempotency_key: str | None, **kwargs: Any
        ) -> HttpResponse:
            def carry_out() -> HttpResponse:
                return _accepted(request, view(request, *args, **kwargs), schema, by_alias=by_alias)

            if idempotency_key is None:
                return carry_out()
            return once(request, idempotency_key, carry_out)

        contribute_operation_args(answer, "idempotency_key", cast(Any, str | None), _KEY)
        contribute_operation_callback(
            answer,
            describe(
                responses=_REFUSALS,
                headers={(202,): ["Location", "Retry-After", REPLAYED], (409,): ["Retry-After"]},
            ),
        )
        return answer

    return decorate


def once(request: HttpRequest, key: str, carry_out: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the answer that the caller's first request with this key had; if this is the first, carry it out.

    Raises:
        Problem: 409 while the first is being carried out, 422 if it was another request, or the key is none.
    """
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise Problem(
            422, "invalid_idempotency_key", "An idempotency key has 1 to 255 printable ASCII characters."
        )
    fingerprint, user = fingerprint_of(request), cast(int, request.user.pk)  # signed in, or we are not here
    with transaction.atomic():
        _take(f"{user}:{key}")
        mine = KeptAnswer.objects.filter(user_id=user, key=key)
        kept = mine.first()
        if kept is not None and kept.created_at > timezone.now() - KEPT:
            if kept.fingerprint != fingerprint:
                raise Problem(
                    422, "idempotency_mismatch", "This idempotency key was used for a different request."
                )
            return _replay(kept)
        mine.delete()
        response = _outcome(request, carry_out)
        KeptAnswer.objects.create(
            user_id=user,
            key=key,
            fingerprint=fingerprint,
            status=response.status_code,
            headers={name: response[name] for name in ("Content-Type", "Location") if name in response},
            body=response.content,
        )
        return response


def fingerprint_of(request: HttpRequest) -> str:
    """Return what tells one request from another: its address, and what its body says, however that was written."""
    said: Any
    try:
        said = json.loads(request.body)
    except RawPostDataException:  # it was read as a form, whose boundary differs each time
        files = {name: [_digest(file) for file in request.FILES.getlist(name)] for name in request.FILES}
        said = [dict(request.POST.lists()), files]
    except ValueError:  # neither
        said = request.body.hex()
    text = json.dumps([request.method, request.path, said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def purge_answers(limit: int, now: datetime) -> int:
    """Delete at most ``limit`` answers that are not repeated any more; return how many."""
    old = KeptAnswer.objects.filter(created_at__lt=now - KEPT).order_by("pk").values("pk")[:limit]
    return KeptAnswer.objects.filter(pk__in=old).delete()[0]


def _take(name: str) -> None:
    number = int.from_bytes(hashlib.sha256(f"idempotency:{name}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        (taken,) = cursor.fetchone()
    if not taken:
        raise Problem(
            409,
            "idempotency_in_flight",
            "The first request with this idempotency key is being carried out.",
            headers={"Retry-After": str(BUSY_SECONDS)},
        )


def _outcome(request: HttpRequest, carry_out: Callable[[], HttpResponse]) -> HttpResponse:
    """Carry a request out; a refusal that stays is an outcome too. Any other ends the transaction as any error does."""
    try:
        with transaction.atomic():
            return carry_out()
    except Problem as refusal:
        if refusal.status not in LASTING:
            raise
        return refusal.response(request)


def _accepted(request: HttpRequest, made: Made, schema: type[Schema], *, by_alias: bool) -> HttpResponse:
    document = schema.model_validate(made.thing, context={"request": request}).model_dump(by_alias=by_alias)
    body = JSONRenderer().render(request, document, response_status=202)  # as all answers are written
    headers = {"Location": made.location, "Retry-After": str(BUSY_SECONDS)}
    return HttpResponse(body, status=202, content_type="application/json; charset=utf-8", headers=headers)


def _replay(kept: KeptAnswer) -> HttpResponse:
    headers: Mapping[str, str] = {**kept.headers, REPLAYED: "true"}
    response = HttpResponse(bytes(kept.body), status=kept.status, headers=headers)
    if kept.status == 202:  # noqa: PLR2004  accepted
        response["Retry-After"] = str(BUSY_SECONDS)
    return response


def _digest(file: "UploadedFile[Any]") -> str:
    found = hashlib.sha256()
    for chunk in file.chunks():
        found.update(chunk)
    file.seek(0)
    return found.hexdigest()
