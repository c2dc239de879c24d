import re

from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware

# Links of mails: whoever has one may choose the password, or confirm the address.
_KEY = re.compile(r"(/accounts/(?:password/reset/key|confirm-email)/)[^/?]+")


class DiscreetRequestMiddleware(RequestMiddleware):
    """Logs each request, but not the keys in the addresses of some: logs are read by more people than mailboxes."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return _KEY.sub(r"\1...", f"{request.method} {request.get_full_path()}")
