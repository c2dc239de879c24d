import csv
import tempfile
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from proj.demo.sample import SampleProduct, products


class Command(BaseCommand):
    help = "Puts the products of the sample on sale. Products that are there keep their stock."

    def handle(self, *_args: Any, **_options: Any) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(SampleProduct._fields)
            rows.writerows(products())
            file.flush()
            call_command("load_catalogue", file.name, stdout=self.stdout)
