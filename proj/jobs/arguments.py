"""What the command ``jobs`` can be asked for."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from proj.jobs.selecting import Owed

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
WAITING = (Owed.SCHEDULED, Owed.QUEUED, Owed.RETRYING)


def add_verbs(parser: ArgumentParser, epilog: str | None) -> None:
    """Add the verbs, each with its own arguments, and ``epilog`` to the help."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = epilog
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|show|why|retry|cancel|bury")
    listing = verbs.add_parser("list", help="jobs that are owed, newest first")
    _add_filters(listing, Owed)
    listing.add_argument("--limit", type=int, default=50, help="at most so many; 50 unless said")
    for name, text in (("show", "everything about one job"), ("why", "why a job is not running")):
        verbs.add_parser(name, help=text).add_argument("id", metavar="ID")
    _add_operations(verbs)
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="print JSON, an object on each line")


def _add_operations(verbs: "_SubParsersAction[Any]") -> None:
    retry = verbs.add_parser("retry", help="put dead jobs back in the queue")
    retry.add_argument(
        "--args",
        dest="new_args",
        type=json.loads,
        metavar="JSON",
        help="other arguments, a list; for one job",
    )
    retry.add_argument(
        "--kwargs", dest="new_kwargs", type=json.loads, metavar="JSON", help="other named ones, an object"
    )
    cancel = verbs.add_parser("cancel", help="never run jobs that wait; stop those that run")
    cancel.add_argument("--terminate", action="store_true", help="kill the processes of those that run")
    bury = verbs.add_parser("bury", help="give up jobs that wait: they are dead, and can be retried")
    bury.add_argument("--reason", required=True, help="why: it becomes their error, and is in the audit log")
    for verb, states in ((retry, [Owed.DEAD]), (cancel, Owed), (bury, WAITING)):
        verb.add_argument("ids", nargs="*", metavar="ID", help="which; or filters")
        _add_filters(verb, states)
        verb.add_argument("--dry-run", action="store_true", help="only say how many, and show some")
        verb.add_argument("--yes", action="store_true", help="also if it is more than one")
        verb.add_argument(
            "--per-second", type=int, metavar="N", help="at most so many a second; Ctrl-C stops it"
        )
    for verb in (retry, cancel):
        verb.add_argument("--reason", default="", help="why, for the audit log")


def _add_filters(parser: ArgumentParser, states: Iterable[Owed]) -> None:
    parser.add_argument("--state", choices=[state.value for state in states])
    parser.add_argument(
        "--task", metavar="NAME", help="orders.charge_order; 'orders.*' for all that begin so"
    )
    parser.add_argument("--queue")
    parser.add_argument("--subject", help="what the job is about: order:42")
    parser.add_argument("--error", metavar="TEXT", help="any part of the error")
    parser.add_argument(
        "--argument",
        metavar="VALUE",
        help="the value of any argument, however deep; or NAME=VALUE; reads every job",
    )
    for name, text in (("since", "not before"), ("until", "not after")):
        parser.add_argument(
            f"--{name}",
            type=moment,
            metavar="TIME",
            help=f"enqueued {text}: 2026-11-20T08:00, UTC; or 2h, 3d ago",
        )


def moment(text: str) -> datetime:
    """Return the moment that a person means: one in ISO 8601, of UTC unless it says otherwise, or so long ago.

    Raises:
        ValueError: it is neither.

    """
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit and number.isdecimal():
        return timezone.now() - int(number) * unit
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
