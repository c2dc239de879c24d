"""What endpoints may subscribe to: each app registers the kinds of events it emits, in its ``ready()``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

PING = "webhook.ping"


class Kind(NamedTuple):
    """One kind of event, as subscribers read about it."""

    name: str  # such as "order.paid"
    words: str  # what has happened, as a sentence
    example: Mapping[str, Any]  # of its data


_kinds: dict[str, Kind] = {}


def register(name: str, words: str, example: Mapping[str, Any]) -> None:
    """Make a kind of event known; the arguments are those of :class:`Kind`."""
    _kinds[name] = Kind(name, words, example)


def registered() -> Mapping[str, Kind]:
    """Return every kind by name, in the order of registration."""
    return MappingProxyType(_kinds)


def subscribable() -> Mapping[str, Kind]:
    """Return the kinds that an endpoint may ask for: all but the one that is sent when its owner tries it out."""
    return MappingProxyType({name: kind for name, kind in _kinds.items() if name != PING})
