"""Goes on whatever happens, and says so once for each kind of trouble, not each second."""

import logging
from types import TracebackType
from typing import Self

from django.db import InterfaceError, OperationalError, connections

#: What a database raises that is away.
AWAY = (OperationalError, InterfaceError)


class Watch:
    """A context manager for work that is repeated: what it raises is logged, and the next round goes ahead.

    The same kind of trouble in a row is logged once; so is its end. A database connection that broke is dropped, so that
    the next round begins with a fresh one.
    """

    def __init__(self, logger: logging.Logger, what: str, *, but: tuple[type[Exception], ...] = ()) -> None:
        self.logger, self.what = logger, what
        self.but = but  # what is somebody else's to watch
        self.trouble: type[BaseException] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if kind is None:
            if self.trouble is not None:
                self.logger.warning("%s: all is well again", self.what)
            self.trouble = None
            return False
        if not issubclass(kind, Exception) or issubclass(kind, self.but):
            return False
        known, self.trouble = self.trouble, kind
        away = issubclass(kind, AWAY)
        if away:
            connections.close_all()
        if kind is not known:
            # A database that is away needs no traceback; a mistake does.
            self.logger.error("%s: %s: %s", self.what, kind.__name__, error, exc_info=None if away else error)
        return True
