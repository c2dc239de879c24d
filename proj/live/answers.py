"""What an address of events answers."""

from typing import Any, cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from proj.api.describing import problem
from proj.api.problems import Problem
from proj.live.kinds import Kind
from proj.live.stream import Stream
from proj.live.watcher import NoRoom, NoRoomForPerson, watcher

RETRY_AFTER = 30  # seconds: by then about half of the streams there are have ended

#: Of an operation that answers with `follow`: its ``openapi_extra``.
DESCRIBED: dict[str, Any] = {
    "parameters": [
        {
            "in": "header",
            "name": "Last-Event-ID",
            "schema": {"type": "string"},
            "description": "The id of the last event seen. What is as it was then is not told again.",
        }
    ],
    "responses": {
        200: {
            "description": "Events until something is final, for 55 s at most; then come back. `change`: its id is a version, "
            'its data is {"id", "status", "ended"}. `heartbeat`: nothing has happened for 15 s.',
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "example": "retry: 1000\n\nid: 0a1b\nevent: change\n"
                    'data: {"id": "6e0c1c8e-0000-4000-8000-000000000000", "status": "paid", "ended": false}\n\n',
                }
            },
        },
        204: {"description": "The client has seen the last there will be: do not come back."},
        404: problem("not_found: there is no such thing, or it is somebody else's."),
        429: problem(
            "too_many_streams: the caller has as many open as one person may; or (too_many_requests) has called too often."
        ),
        503: problem("too_many_streams: there are as many as we bear. Ask for the object itself meanwhile."),
    },
}

HEADERS = {
    "Cache-Control": "no-store, no-transform",  # no proxy compresses it, which would hold events back
    "X-Accel-Buffering": "no",  # nor does nginx collect it
}


def follow(request: HttpRequest, kind: Kind, key: int, name: str) -> HttpResponseBase:
    """Return the stream of an object's events. Who asks must have been checked: this looks at the object only.

    The first event comes at once, unless ``Last-Event-ID`` says that the client has seen it. 204, which tells an
    EventSource not to come back, when it has and nothing more is to come.

    Args:
        request: a GET.
        kind: of the object.
        key: its primary key.
        name: what clients call it.

    Raises:
        Http404: it has just been deleted.
        Problem: there are as many streams as this process bears (503), or as one person may have in it (429).
    """
    state = kind.read([key]).get(key)
    if state is None:
        raise Http404
    seen = request.headers.get("Last-Event-ID", "")
    if state.ended and state.version == seen:
        return HttpResponse(status=204, headers=HEADERS)
    line = request.META.get("gunicorn.socket")
    person = cast(int, request.user.pk)  # signed in, or we are not here
    stream = Stream(kind, key, name, person=person, seen=seen, line=line, forget=watcher.forget)
    stream.offer(state)  # before the watcher knows it: only one thread offers at a time
    # A server with one thread to a process would serve nobody else meanwhile.
    bound = settings.LIVE_STREAMS if request.META.get("wsgi.multithread") else 0
    try:
        watcher.add(stream, bound=bound, each=settings.LIVE_STREAMS_EACH)
    except NoRoomForPerson as error:
        raise _too_many(429, "You have too many streams open.") from error
    except NoRoom as error:
        raise _too_many(503, "Too many streams are open.") from error
    return StreamingHttpResponse(stream, content_type="text/event-stream", headers=HEADERS)


def _too_many(status: int, detail: str) -> Problem:
    return Problem(
        status,
        "too_many_streams",
        f"{detail} Ask for the object itself every few seconds, or come back later.",
        headers={"Retry-After": str(RETRY_AFTER)},
    )
