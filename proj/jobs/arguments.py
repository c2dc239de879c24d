"""What the command ``jobs`` can be asked for."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Iterable
from typing import Any

from proj.jobs.selecting import Owed

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
