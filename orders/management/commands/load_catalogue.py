"""manage.py load_catalogue products.csv: put products on sale, as often as one likes."""

import csv
import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orders.models.catalogue import MAX_AMOUNT
from orders.services import CatalogueRow, load_catalogue

COLUMNS = ("sku", "name", "amount", "on_hand")
MAX_ON_HAND = 2**31 - 1


class Command(BaseCommand):
    help = (
        "Load products from a CSV file with the columns sku, name, amount (minor units), on_hand and, if there is "
        "one, currency (GBP otherwise). A product that is there takes the new name and price and keeps its stock. "
        "Exit status: 0 loaded, 1 a row is wrong (nothing is loaded), 2 the file cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", help="the CSV file in UTF-8, or - for standard input")
        parser.add_argument("--dry-run", action="store_true", help="only check the file")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *, path: str, **options: Any) -> None:
        try:
            # utf-8-sig: spreadsheets begin their files with a byte order mark.
            text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read: {error}", returncode=2) from error
        rows, problems = parse(text.splitlines(keepends=True))
        if problems:
            raise CommandError("\n".join(problems), returncode=1)
        if options["dry_run"]:
            self.stdout.write(
                json.dumps({"rows": len(rows)}) if options["json"] else f"{len(rows)} rows are right."
            )
            return
        loaded = load_catalogue(rows)
        self.stdout.write(
            json.dumps(loaded._asdict())
            if options["json"]
            else f"{loaded.created} created, {loaded.changed} changed, {loaded.unchanged} unchanged."
        )


def parse(lines: Iterable[str]) -> tuple[list[CatalogueRow], list[str]]:
    """The rows of a CSV file, and a sentence for each thing that is wrong with it."""
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
    if missing:
        return [], [f"The file has no column {', '.join(missing)}."]
    rows: dict[str, CatalogueRow] = {}
    problems: list[str] = []
    for fields in reader:
        wrong = list(_problems(fields))
        if fields["sku"] in rows:
            wrong.append("sku is there twice")
        problems += [f"Line {reader.line_num}: {problem}." for problem in wrong]
        if not wrong:
            rows[fields["sku"]] = _row(fields)
    return list(rows.values()), problems


def _row(fields: dict[str, str]) -> CatalogueRow:
    return CatalogueRow(
        sku=fields["sku"],
        name=fields["name"],
        amount=int(fields["amount"]),
        on_hand=int(fields["on_hand"]),
        currency=fields.get("currency") or "GBP",
    )


def _problems(fields: dict[str, str | None]) -> Iterator[str]:
    for column, longest in (("sku", 64), ("name", 200)):
        if not re.fullmatch(rf"[^\x00]{{1,{longest}}}", fields[column] or ""):
            yield f"{column} must have 1 to {longest} characters"
    for column, least, most in (("amount", 1, MAX_AMOUNT), ("on_hand", 0, MAX_ON_HAND)):
        text = fields[column] or ""
        if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
            yield f"{column} must be a whole number from {least} to {most}"
    if not re.fullmatch(r"[A-Z]{3}|", fields.get("currency") or ""):
        yield "currency must be three capital letters"
