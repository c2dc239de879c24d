"""Orders through the whole system with a provider that fails: is each charged once, and what does it cost?

    python benchmarks/payments.py [--orders 10000] [--faults 0.05]

Starts the real system twice, on scratch folders: its workers, beat, web server and the payment provider's stand-in; once with
a provider that does as it should, once with one that spoils a share of the requests and of its webhooks (dropped, answered
with 500 before or after charging, refused, delayed; repeated, out of order, late, early). All orders are placed before the
workers start. What counts are the last lines: charged once, nothing unknown, and the ratio of both rates. Rates are from the
workers' readiness until 95 in 100 orders have ended, because the last ones wait for retries and not for the machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PRODUCTS = 200  # so that orders seldom wait for each other's stock
LONGEST = 3600.0  # seconds
MOST = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(run(arguments.inside, arguments.orders, arguments.faults)))
        return
    found = {share: run_apart(arguments.orders, share) for share in (0.0, arguments.faults)}
    for name in found[0.0]:
        print(f"{name:34} {found[0.0][name]!s:>24} {found[arguments.faults][name]!s:>24}")
    ratio = found[arguments.faults]["orders/s"] / found[0.0]["orders/s"]
    print(f"{'orders/s, with faults : without':34} {ratio:>49.2f}")


def run_apart(orders: int, faults: float) -> dict[str, Any]:
    """Run one system in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="benchmark-payments-") as scratch:
        Path(scratch).chmod(0o755)  # PostgreSQL's own user passes through
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        told = subprocess.run(
            [sys.executable, __file__, f"--orders={orders}", f"--faults={faults}", f"--inside={scratch}/var"],
            env=environment | {"EMAIL_URL": "dummymail://"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return json.loads(told.stdout.splitlines()[-1])


def run(folder: Path, orders: int, faults: float) -> dict[str, Any]:
    """Place the orders, let the system work until all have ended, and compare the ledgers."""
    import logging  # noqa: PLC0415

    import django  # noqa: PLC0415

    from proj.servers.environment import _kept_secret_key  # noqa: PLC0415
    from proj.servers.lifetime import provide  # noqa: PLC0415
    from proj.servers.records import OneAtATime  # noqa: PLC0415

    os.environ |= {"VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "proj.settings", **provide(folder)}
    os.environ["SECRET_KEY"] = _kept_secret_key(folder)
    django.setup()
    logging.disable(logging.INFO)

    from proj.demo.provider import end_faults  # noqa: PLC0415
    from proj.servers.launch import System  # noqa: PLC0415

    with OneAtATime(folder):
        system = System(folder, 8950, faults=faults)
        try:
            system.prepare(lambda _: None)
            place(orders)
            system.start(interrupted=lambda: False)
            took = watch(system, orders)
            return {
                "faults": f"{faults:.0%}",
                **figures(folder, orders, took),
                "the provider's faults": sum(end_faults(system.payments_url).values()),
            }
        finally:
            system.stop()


def place(number: int) -> None:
    """Place orders for one piece each, of many products."""
    from django.contrib.auth.models import User  # noqa: PLC0415

    from orders.services import CatalogueRow, LineRequest, load_catalogue, place_order  # noqa: PLC0415

    load_catalogue(CatalogueRow(f"B{n}", f"Thing {n}", 100 + n, number) for n in range(PRODUCTS))
    customer = User.objects.create_user("customer", "customer@example.com")
    for n in range(number):
        place_order(customer, [LineRequest(f"B{n % PRODUCTS}", 1)])


def watch(system: Any, number: int) -> dict[str, float]:
    """Wait until every order has ended and nothing is open; return the seconds until most had, and until all had."""
    from orders.models import Order  # noqa: PLC0415
    from orders.states import FINAL  # noqa: PLC0415
    from proj.jobs.models import Job  # noqa: PLC0415

    began, most = time.monotonic(), 0.0
    while (elapsed := time.monotonic() - began) < LONGEST:
        system.supervisor.look()
        ended = Order.objects.filter(status__in=FINAL).count()
        most = most or (elapsed if ended >= MOST * number else 0.0)
        if ended >= number and not Job.objects.exists():
            break
        time.sleep(0.5)
    return {"most": most or elapsed, "all": elapsed}


def figures(folder: Path, number: int, took: dict[str, float]) -> dict[str, Any]:
    from orders.models import Order  # noqa: PLC0415
    from orders.payments.models import Incident, PaymentAttempt  # noqa: PLC0415
    from tests import ledgers  # noqa: PLC0415

    books = folder / "payment_sandbox.sqlite3"
    there, here, journal = ledgers.at_provider(books), ledgers.in_payments(), ledgers.in_books()
    captured = [len(side.captured) for side in there.values()]
    return {
        "orders": number,
        "completed": Order.objects.filter(status="completed").count(),
        "charged once": captured.count(1),
        "charged more than once": sum(n > 1 for n in captured),
        "never charged": number - len(captured),
        "payments without an outcome": PaymentAttempt.objects.open().count(),
        "pence at the provider": sum(side.captured_sum for side in there.values()),
        "pence in payments": sum(side.captured_sum for side in here.values()),
        "pence in the journal": sum(side.captured_sum for side in journal.values()),
        "pence in orders": sum(Order.objects.filter(status="completed").values_list("amount", flat=True)),
        "differences between the ledgers": len(ledgers.differences(books)),
        "incidents": Incident.objects.count(),
        "seconds until 95 % had ended": round(took["most"], 1),
        "seconds until all had": round(took["all"], 1),
        "orders/s": round(MOST * number / took["most"], 1),
    }


if __name__ == "__main__":
    main()
