"""The one address that the provider calls."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orders.payments import receiving
from proj.api.problems import Problem

#: Bytes. An event is a few kilobytes; Stripe's largest objects stay well below this.
MOST = 256 * 1024
#: Seconds after which the provider may try again. It has a schedule of its own, over three days.
RETRY_AFTER = "30"

logger = logging.getLogger(__name__)


@csrf_exempt  # no browser is sent here; the signature says who it is
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Take an event of the payment provider. 200 says that it is stored and will be looked into, or was before."""
    try:
        is_new = receiving.receive(_read(request), request.headers.get("Stripe-Signature", ""))
    except (TooLarge, receiving.BadSignature, receiving.Malformed) as refusal:
        logger.warning("a webhook was refused: %s", refusal)
        return Problem(*_ANSWERS[type(refusal)]).response(request)
    except (OperationalError, InterfaceError) as error:
        logger.warning("a webhook could not be stored, the provider will send it again: %s", error)
        headers = {"Retry-After": RETRY_AFTER}
        return Problem(503, "unavailable", "Send it again later.", headers=headers).response(request)
    return HttpResponse("received\n" if is_new else "known\n", content_type="text/plain")


class TooLarge(Exception):  # noqa: N818
    """The body is longer than any event is; it was not read."""


_ANSWERS = {
    TooLarge: (413, "too_large", f"An event has at most {MOST} bytes."),
    receiving.BadSignature: (400, "bad_signature", "The signature is not one of ours, or too old."),
    receiving.Malformed: (400, "malformed", "This is not an event."),
}


def _read(request: HttpRequest) -> bytes:
    """The body as it came, for the signature is over its bytes.

    Raises:
        TooLarge: nothing of it was read.
    """
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdecimal() or int(announced) > MOST:
        raise TooLarge(f"{announced} bytes")
    body: bytes = request.read(MOST)
    return body
