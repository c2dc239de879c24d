"""Exit codes: 0 done; 1 there is no such job, or some of it could not be done; 2 it was asked for in a way that makes
no sense, or more than one job is meant and --yes was not said. Data goes to stdout, everything else to stderr.
"""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from kombu.exceptions import OperationalError

from proj.jobs import arguments, audit, console, describing, ledger, operations
from proj.jobs.carrying_out import among
from proj.jobs.ledger import Cancelled
from proj.jobs.models import Job, State
from proj.jobs.selecting import Selection, batches
from proj.jobs.why import Code, why

#: Jobs that --dry-run shows.
SAMPLE = 10


class Command(BaseCommand):
    help = "Look at background jobs, and retry, cancel or bury them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        arguments.add_verbs(parser, __doc__)

    def handle(self, *, verb: str, **options: Any) -> None:
        self.json: bool = options["json"]
        self.pace: int | None = options.get("per_second")
        self.told: dict[str, Any] = {"by": audit.by_command(), "reason": options.get("reason", "")}
        getattr(self, f"handle_{verb}")(options)

    # --- looking ------------------------------------------------------------------------------------------------------

    def handle_list(self, options: dict[str, Any]) -> None:
        self.print_jobs(_selection(options).jobs()[: max(options["limit"], 0)])

    def handle_show(self, options: dict[str, Any]) -> None:
        job = describing.detail(options["id"], ledger.now())
        if job is None:
            raise CommandError(f"Nobody has heard of a job {options['id']}.")
        job["why"] = why(options["id"]).sentence
        self.print(job, *console.details(job))

    def handle_why(self, options: dict[str, Any]) -> None:
        answer = why(options["id"])
        self.print(answer._asdict(), answer.sentence)
        if answer.code == Code.UNKNOWN:
            sys.exit(1)

    # --- operating ----------------------------------------------------------------------------------------------------

    def handle_retry(self, options: dict[str, Any]) -> None:
        args, kwargs = options["new_args"], options["new_kwargs"]
        if not isinstance(args, list | None) or not isinstance(kwargs, dict | None):
            raise CommandError("--args is a JSON list, --kwargs a JSON object.", returncode=2)
        chosen = self.choose(options, among=Q(state=State.DEAD))
        if args is None and kwargs is None:
            self.operate(chosen, "retried", partial(operations.retry, **self.told))
        elif len(chosen) > 1:
            raise CommandError("Other arguments are for one job.", returncode=2)
        else:
            self.operate(chosen, "retried", lambda ids: _retry_with(ids[0], args, kwargs, **self.told))

    def handle_bury(self, options: dict[str, Any]) -> None:
        chosen = self.choose(options, among=Q(state=State.QUEUED))
        self.operate(chosen, "buried", partial(operations.bury, **self.told))

    def handle_cancel(self, options: dict[str, Any]) -> None:
        def cancel(ids: Sequence[str]) -> int:
            answers = operations.cancel(ids, **self.told)
            for job_id, answer in answers.items():
                self.print({"id": job_id, "answer": answer.value}, f"{job_id}  {answer}")
            if options["terminate"]:
                self.terminate([job_id for job_id, answer in answers.items() if answer == Cancelled.STOPPING])
            return sum(answer != Cancelled.TOO_LATE for answer in answers.values())

        self.operate(self.choose(options, among=among("cancel", _selection(options))), "cancelled", cancel)

    def terminate(self, running: list[str]) -> None:
        try:
            operations.terminate(running)
        except OperationalError as error:
            self.stderr.write(f"The broker is away, they stop at their next checkpoint: {error}")

    # --- asking and telling -------------------------------------------------------------------------------------------

    def choose(self, options: dict[str, Any], *, among: Q) -> list[str]:
        """Return the ids of the jobs that are meant; end here for a dry run, and when it makes no sense."""
        selection = _selection(options)
        if not selection:
            raise CommandError("Say which: their ids, or filters.", returncode=2)
        chosen = selection.job_ids(among=among)
        if options["dry_run"]:
            self.stderr.write(f"{_jobs(len(chosen))}, of which some are:")
            self.print_jobs(Job.objects.filter(pk__in=chosen[:SAMPLE]).order_by("-created_at"))
            sys.exit(0)
        for missing in sorted(set(options["ids"]) - set(chosen)):
            self.stderr.write(f"{missing}: {why(missing, ask_workers=False).sentence}")
        if not chosen:
            raise CommandError("There is no such job to do that to.")
        if len(chosen) > 1 and not options["yes"]:
            raise CommandError(
                f"That is {_jobs(len(chosen))}: add --yes, or look with --dry-run.", returncode=2
            )
        self.missing = len(set(options["ids"]) - set(chosen))
        return chosen

    def operate(self, chosen: list[str], verb: str, act: Callable[[Sequence[str]], int]) -> None:
        """Do it bite by bite; what is done stays done, whatever stops the rest."""
        progress, done = console.Progress(self.stderr, len(chosen)), 0
        for ids in batches(chosen, self.pace):
            began = time.monotonic()
            done += act(ids)
            progress.advance(len(ids))
            if self.pace and progress.done < len(chosen):
                time.sleep(max(0.0, began + len(ids) / self.pace - time.monotonic()))
        if verb != "cancelled":
            self.print({verb: done, "chosen": len(chosen)}, f"{_jobs(done)} {verb}")
        if done < len(chosen) + self.missing:
            sys.exit(1)

    def print_jobs(self, jobs: Any) -> None:
        now = ledger.now()
        described = [describing.describe_job(job, now) for job in jobs.defer("message")]
        lines = [console.as_json(job) for job in described] if self.json else console.table(described, now)
        for line in lines:
            self.stdout.write(line)

    def print(self, value: dict[str, Any], *lines: str) -> None:
        """Write ``value`` for programs, or ``lines`` for people."""
        for line in [console.as_json(value)] if self.json else lines:
            self.stdout.write(line)


def _selection(options: dict[str, Any]) -> Selection:
    return Selection(
        **{field.name: options[field.name] for field in fields(Selection) if options.get(field.name)}
    )


def _retry_with(job_id: str, args: Any, kwargs: Any, **told: Any) -> int:
    try:
        return int(operations.retry_with(job_id, args, kwargs, **told))
    except TypeError as error:
        raise CommandError(f"The task cannot be called like that: {error}", returncode=2) from error


def _jobs(count: int) -> str:
    return f"{count:,} job" if count == 1 else f"{count:,} jobs"
