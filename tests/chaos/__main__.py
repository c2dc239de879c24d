"""The soak: people order, cancel and upload while everything is killed, stopped, cut and wiped; then it must add up.

The payment provider drops, repeats, delays and refuses one request and one webhook in twenty, and is killed as well.

    python -m tests.chaos --minutes 10 --seed 42

Ends with 0 when it does, else with 1.
"""

import argparse
import os
import random
import sys
import threading
import time
from pathlib import Path

import django

from proj.servers import child
from proj.servers.environment import BASE_DIR, _kept_secret_key
from proj.servers.lifetime import provide
from proj.servers.records import OneAtATime
from proj.servers.redis import Redis
from proj.servers.scratch import make_scratch

PORT = 8900  # or the first free one above it
PEOPLE, EVERY = 6, 2.0  # so many ask for something, each so often (seconds): three wishes a second
PICTURES_A_MINUTE = 60 * PEOPLE / EVERY / 8 + 5
GIVE_BACK_EVERY = 4.0  # seconds between two orders of which somebody of the staff gives money back
# A mail that was claimed by a process that died is sent again after 90 s; a charge that was answered with a 500 is asked
# for again, with backoff, until it is looked up: six minutes, if no webhook says before how it went.
SETTLE_SECONDS = 420
FAULTS = 0.05  # of the requests to the payment provider, and of its webhooks


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--seed", type=int, default=None, help="of what is done, and when; default: a new one"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    folder = _prepare()
    with OneAtATime(folder) as mine:
        if not mine:
            sys.exit(f"Another soak is running on {folder}.")
        return _soak(folder, options.minutes, seed)


def _prepare() -> Path:
    """Start servers of our own on an empty folder, and set Django up for them."""
    for name in ("DATABASE_URL", "CELERY_BROKER_URL"):
        os.environ.pop(name, None)
    folder = make_scratch(Path(os.environ.get("CHAOS_DIR") or BASE_DIR / "var" / "chaos").resolve())
    os.environ["VAR_DIR"] = str(folder)
    os.environ.update(
        provide(folder)
    )  # durable: a server that is killed must not forget what it has promised
    os.environ["SECRET_KEY"] = _kept_secret_key(folder)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proj.settings")
    child.LONGEST_PAUSE = 2.0  # what is killed every few seconds is no crash loop
    django.setup()
    return folder


def _soak(folder: Path, minutes: float, seed: int) -> int:
    from django.db import connections  # noqa: PLC0415  after the environment is set
    from rich.console import Console  # noqa: PLC0415

    from proj.demo import sample  # noqa: PLC0415
    from proj.demo.provider import end_faults  # noqa: PLC0415
    from proj.demo.report import print_ends, print_reckoning  # noqa: PLC0415
    from proj.servers.launch import System  # noqa: PLC0415
    from tests.chaos.clerk import Clerk  # noqa: PLC0415
    from tests.chaos.crowd import Crowd, insist  # noqa: PLC0415
    from tests.chaos.monkeys import Monkeys  # noqa: PLC0415
    from tests.chaos.reckoning import customers, reckon, watch  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    console.print(f"seed {seed}, {minutes:g} minutes, in {folder}")
    system = System(folder, PORT, faults=FAULTS)
    system.prepare(console.print)
    people = customers(system.url, int(minutes * PICTURES_A_MINUTE) + 10)
    over, supervised = threading.Event(), threading.Event()
    watcher = threading.Thread(target=system.supervisor.watch, args=(supervised,))
    try:
        system.start(interrupted=lambda: False)
        watcher.start()
        connections.close_all()  # the monkeys spare nobody's
        crowd = Crowd(people, sample.orders(), sample.pictures())
        monkeys = Monkeys(system, Redis(folder / "servers"), os.environ["DATABASE_URL"], seed, console.print)
        threads = [threading.Thread(target=crowd.come, args=(over, EVERY)) for _ in range(PEOPLE)]
        threads.append(threading.Thread(target=monkeys.run, args=(over,)))
        clerk = Clerk(crowd, seed)
        threads.append(threading.Thread(target=clerk.come, args=(over, GIVE_BACK_EVERY)))
        for thread in threads:
            thread.start()
        time.sleep(minutes * 60)
        over.set()
        for thread in threads:
            thread.join()
        console.print(
            f"The monkeys are gone; {len(crowd.asked)} wishes, the slowest took {crowd.slowest:.1f} s"
        )
        console.print(
            f"{len(crowd.cancelled)} orders were cancelled, {crowd.too_late} were too late for it; of "
            f"{len(clerk.given_back)} money was given back, of {clerk.refused} there was none to give"
        )
        began = time.monotonic()
        console.print(
            f"faults of the provider since it was last killed: {insist(lambda: end_faults(system.payments_url))}"
        )
        left = watch(crowd.asked, SETTLE_SECONDS)
        checks = reckon(system, crowd, clerk, left)
        console.print(f"all ended {time.monotonic() - began:.1f} s later")
    finally:
        supervised.set()
        if watcher.is_alive():
            watcher.join()
        system.stop()
    print_ends(console, *[[each for each in crowd.asked if each.is_order is kind] for kind in (True, False)])
    print_reckoning(console, checks)
    console.print(f"deeds: {dict(monkeys.deeds.most_common())}, {monkeys.deeds.total()} in all")
    wrong = [check.name for check in checks if not check.agrees]
    console.print(f"It does not add up: {wrong}" if wrong else "Everything adds up.", f"Seed {seed}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
