"""What a background job costs: this project's ledger, against the usual ways.

    python benchmarks/jobs.py [--quick] [--rounds N] [--owed N ...] [--only NAME ...]

    ours           the ledger: every job is a row until its result is stored; its beat runs as well
    stock          Celery with django-celery-results, every setting its default
    no results     Celery that stores nothing
    procrastinate  PostgreSQL alone; compared if it is installed

Every worker has two processes and logs at INFO, as workers do in production. All share the servers; while one has its
turn the workers of the others are stopped. A round gives each a turn of every kind, in an order that moves on, so that
a busy moment of the machine hits all alike. What counts are the ratios to ours of the same round: their median,
and in brackets their quartiles. Absolute figures are medians, and the machine's.
"""

import argparse
import importlib.util
import os
import secrets
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402
import psycopg  # noqa: E402
import redis  # noqa: E402

from benchmarks.job_runtimes.contender import Contender  # noqa: E402
from proj.servers.lifetime import SERVERS, Lease  # noqa: E402

PLAIN = {"DJANGO_SETTINGS_MODULE": "benchmarks.job_runtimes.plain_settings"}
#: The module of each, and its environment.
RUNTIMES = {
    "ours": (
        "ours",
        {"DJANGO_SETTINGS_MODULE": "proj.settings", "CELERY_VISIBILITY_TIMEOUT": "3600", "DEBUG": "0"},
    ),
    "stock": ("stock", {**PLAIN, "BENCH_BACKEND": "django-db"}),
    "no results": ("stock", PLAIN),
    "procrastinate": ("procrastinated", PLAIN),
}
#: What is measured, and whether more is better.
MEASURES = {
    "enqueue/s": True,
    "group/s": True,
    "jobs/s": True,
    "CPU ms/job": False,
    "p50 ms": False,
    "p99 ms": False,
    "chains/s": True,
}

# By the name of the measure and of the contender: the figure of each round.
Figures = dict[str, dict[str, list[float]]]


def main() -> None:
    arguments = parse(sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="benchmark-jobs-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # PostgreSQL's own user passes through
        os.environ["VAR_DIR"] = str(folder / "var")
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        # Left before the folder is deleted, which has what is needed to stop them.
        servers = Lease(folder / "var", [name for name in SERVERS if not os.environ.get(name)])
        os.environ.update(servers.enter())
        try:
            compare(arguments, folder)
        finally:
            servers.leave()


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    contenders = [contender(name, number, folder) for number, name in enumerate(arguments.only)]
    try:
        for one in contenders:
            one.ask("prepare")
            one.start()
        measure(contenders, arguments)
    finally:
        for one in contenders:
            one.end()


def parse(argv: list[str]) -> argparse.Namespace:
    known = [
        name for name in RUNTIMES if name != "procrastinate" or importlib.util.find_spec("procrastinate")
    ]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three short rounds at 1,000 owed jobs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="the length of a turn")
    parser.add_argument("--owed", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--only", nargs="+", default=known, choices=known)
    arguments = parser.parse_args(argv)
    if arguments.quick:
        arguments.rounds, arguments.owed, arguments.seconds = 3, [1_000], 1.0
    return arguments


def contender(name: str, number: int, folder: Path) -> Contender:
    """Give a runtime a database and a part of the broker of its own."""
    module, environment = RUNTIMES[name]
    database = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS benchmark_{number} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE benchmark_{number}")
    broker = urlsplit(os.environ["CELERY_BROKER_URL"])._replace(path=f"/{number + 10}")
    redis.Redis.from_url(urlunsplit(broker)).flushdb()
    urls = {
        "DATABASE_URL": urlunsplit(database._replace(path=f"/benchmark_{number}")),
        "CELERY_BROKER_URL": urlunsplit(broker),
    }
    return Contender(name, module, folder, {**environment, **urls})


def measure(contenders: list[Contender], arguments: argparse.Namespace) -> None:
    """Measure everything, and print each table when it is complete."""
    has_chains = [one for one in contenders if "procrastinate" not in one.name]
    figures: Figures = defaultdict(lambda: defaultdict(list))
    for one in contenders:
        with one.turn():
            one.ask("drain")
    pooled: dict[str, list[float]] = defaultdict(list)

    def alone(one: Contender) -> None:
        with one.turn():
            latencies = one.ask("latencies", 25)
            pooled[one.name] += latencies
            figures["p50 ms"][one.name].append(statistics.median(latencies))
            if one in has_chains:
                figures["chains/s"][one.name].append(one.ask("chains", 30))
        figures["group/s"][one.name].append(one.ask("group", 500))
        with one.turn():
            one.ask("drain")

    rounds(contenders, arguments.rounds, alone)
    for name, latencies in pooled.items():
        figures["p99 ms"][name] = [statistics.quantiles(latencies, n=100)[98]]
    print_table("One at a time, and chains of five", contenders, figures)

    servers = own_servers()
    for owed in arguments.owed:
        figures = defaultdict(lambda: defaultdict(list))

        def under_load(one: Contender, owed: int = owed, figures: Figures = figures) -> None:
            one.ask("top_up", owed)
            figures["enqueue/s"][one.name].append(one.ask("enqueue", arguments.seconds / 2))
            rate, cpu = one.throughput(arguments.seconds, servers)
            figures["jobs/s"][one.name].append(rate)
            figures["CPU ms/job"][one.name].append(cpu)

        rounds(contenders, arguments.rounds, under_load)
        print_table(f"{owed:,} jobs owed", contenders, figures)


def rounds(contenders: list[Contender], count: int, turn: Callable[[Contender], None]) -> None:
    for number in range(count):
        first = number % len(contenders)
        for one in contenders[first:] + contenders[:first]:
            turn(one)


def own_servers() -> list[psutil.Process]:
    """PostgreSQL and Redis, when they are of this run: their CPU counts in."""
    folder = Path(os.environ["VAR_DIR"]) / "servers"
    files = [folder / "postgres" / "postmaster.pid", folder / "redis" / "redis.pid"]
    return [psutil.Process(int(file.read_text().split()[0])) for file in files if file.exists()]


def print_table(title: str, contenders: list[Contender], figures: Figures) -> None:
    names = [one.name for one in contenders]
    print(f"\n{title}\n{'':14}" + "".join(f"{name:>28}" for name in names))
    for measure_, more_is_better in MEASURES.items():
        values = figures.get(measure_, {})
        if not values:
            continue
        cells = [describe(values, name, names[0], more_is_better=more_is_better) for name in names]
        print(f"{measure_:14}" + "".join(f"{cell:>28}" for cell in cells), flush=True)


def describe(values: dict[str, list[float]], name: str, first: str, *, more_is_better: bool) -> str:
    """Return a median, and how many times better the first contender did in the same rounds."""
    if name not in values:
        return "-"
    text = f"{statistics.median(values[name]):,.1f}"
    if name == first:
        return text
    pairs = zip(values[first], values[name], strict=True)
    ratios = [ours / theirs if more_is_better else theirs / ours for ours, theirs in pairs if ours and theirs]
    if len(ratios) < 2:  # noqa: PLR2004  a spread takes two
        return text + "".join(f"  x{ratio:.2f}" for ratio in ratios)
    low, _, high = statistics.quantiles(ratios, n=4)
    return f"{text}  x{statistics.median(ratios):.2f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    main()
