"""What may be deleted when it is old: each app registers a purge for its own things, the nightly clean-up runs them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

#: ``purge(limit, now)`` deletes at most ``limit`` things that have expired at ``now`` and returns how many it deleted.
#: Fewer than ``limit`` means that nothing expired is left.
Purge = Callable[[int, datetime], int]

_purges: dict[str, Purge] = {}


def register(name: str, purge: Purge) -> None:
    """Add a purge under a name that operators will read in the clean-up's report, such as ``"carts"``."""
    _purges[name] = purge


def registered() -> Mapping[str, Purge]:
    """Return every purge by name, in the order of registration."""
    return MappingProxyType(_purges)
