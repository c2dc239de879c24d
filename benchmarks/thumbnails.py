"""What a photograph's thumbnails cost: ours, against the usual ways and against the least that is possible.

    python benchmarks/thumbnails.py [FOLDER] [--rounds N] [--each]

FOLDER holds photographs; without it, those of the tests' collection are used where that lies beside the repository,
else the few of the demo's sample. Every way handles every photograph in a
fresh fork of this process, in turns, so that a busy moment hits all alike; of the rounds the least CPU time counts, and
the most memory, above what an idle fork has.

    ours             media.images: one decode by libvips, five WebP and a JPEG
    ours, complete   the same through the worker's sandbox: pipes, fork and limits included
    Pillow, once     the same by Pillow: one decode with draft(), reduced step by step
    Pillow loop      the usual way: open, transpose, fit and save, once for each size
    easy-thumbnails  the library of that name, once for each size
    floor            decode once, shrinking as ours does, and encode; nothing in between
    floor, whole     the same with every pixel decoded
"""

import argparse
import functools
import io
import os
import pickle
import resource
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("VIPS_CONCURRENCY", "1")  # as in the decoder

import django  # noqa: E402  after the path
from django.conf import settings  # noqa: E402
from PIL import Image  # noqa: E402

from benchmarks.thumbnail_ways import Way, easy, floor, ours, pillow_loop, pillow_once  # noqa: E402
from media.images import make_thumbnails, prepare  # noqa: E402
from media.sandbox import Sandbox  # noqa: E402
from tests.media import corpus  # noqa: E402

SAMPLE = ROOT / "proj" / "demo" / "data" / "pictures"
SMALLEST = 500_000  # pixels: less is no photograph of today


class Price(NamedTuple):
    """What one photograph cost."""

    milliseconds: float
    megabytes: float


def in_fork(work: Callable[[], object]) -> tuple[Price, object]:
    """Do ``work`` in a fork; return what it cost and what it returned."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        result = work()
        with os.fdopen(writer, "wb") as answer:
            pickle.dump(result, answer)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        result = pickle.load(answer)  # noqa: S301  from our own fork
    _, status, usage = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"the fork ended with status {status}")
    return Price((usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024), result


def in_sandbox(sandbox: Sandbox, data: bytes) -> Price:
    """Have the decoder do it; the CPU time of this process, of the server and of its child together."""
    server = Path(f"/proc/{sandbox._running().pid}/stat")  # noqa: SLF001

    def used() -> float:
        fields = (
            server.read_text().rpartition(")")[2].split()
        )  # user, system, and those of children waited for
        own = resource.getrusage(resource.RUSAGE_SELF)
        ticks = sum(int(each) for each in fields[11:15])
        return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")

    # The clock of /proc ticks in hundredths: many at once.
    times = 10
    before = used()
    for _ in range(times):
        sandbox.make_thumbnails(data)
    return Price((used() - before) * 1000 / times, 0.0)


def count(way: Way, data: bytes) -> int:
    """Do it, and return no more than a number: the files need not cross the pipe."""
    return len(way(data))


def squares_of(data: bytes) -> list[tuple[int, bytes]]:
    """Return the finished squares as plain pixels."""
    with_sizes = {each.size: each.content for each in make_thumbnails(data) if each.format == "webp"}
    return [
        (size, Image.open(io.BytesIO(content)).convert("RGB").tobytes())
        for size, content in with_sizes.items()
    ]


def measure(photographs: dict[str, bytes], rounds: int) -> dict[str, list[Price]]:
    """Return the price of every photograph, by way."""
    idle = in_fork(lambda: None)[0].megabytes
    ways: dict[str, Way] = {
        "ours": ours,
        "Pillow, once": pillow_once,
        "Pillow loop": pillow_loop,
        "easy-thumbnails": easy,
    }
    prices: dict[str, list[Price]] = {name: [] for name in [*ways, "floor", "floor, whole", "ours, complete"]}
    sandbox = Sandbox()
    for data in photographs.values():
        squares = in_fork(functools.partial(squares_of, data))[1]
        here: dict[str, Way] = {
            **ways,
            "floor": functools.partial(floor, squares=squares),
            "floor, whole": functools.partial(floor, squares=squares, whole=True),
        }
        seen: dict[str, list[Price]] = {name: [] for name in here}
        for _ in range(rounds):
            for name, way in here.items():
                seen[name].append(in_fork(functools.partial(count, way, data))[0])
        for name, each in seen.items():
            cpu, memory = min(one.milliseconds for one in each), max(one.megabytes for one in each)
            prices[name].append(Price(cpu, memory - idle))
        prices["ours, complete"].append(in_sandbox(sandbox, data))
    sandbox.close()
    return prices


def report(photographs: dict[str, bytes], prices: dict[str, list[Price]], *, each: bool) -> None:
    """Print what was measured, and the ratios that matter."""
    if each:
        print(f"{'CPU in ms':<34}" + "".join(f"{name:>17}" for name in prices))
        for index, name in enumerate(photographs):
            row = "".join(f"{way[index].milliseconds:>17.1f}" for way in prices.values())
            print(f"{name[:32]:<34}{row}")
        print()
    mean = {name: statistics.mean(one.milliseconds for one in way) for name, way in prices.items()}
    print(f"{len(photographs)} photographs, means for each     CPU    against ours     memory      at most")
    for name, way in prices.items():
        memory = [one.megabytes for one in way]
        sizes = f"{statistics.mean(memory):>8.0f} MB  {max(memory):>8.0f} MB" if any(memory) else ""
        print(f"{name:<28}{mean[name]:>12.1f} ms  {mean[name] / mean['ours']:>10.2f} x  {sizes}")
    print(f"\nPillow loop / ours  {mean['Pillow loop'] / mean['ours']:.2f}  (aim: at least 4)")
    print(f"ours / floor        {mean['ours'] / mean['floor']:.2f}  (aim: at most 1.25)")
    print(f"ours / whole floor  {mean['ours'] / mean['floor, whole']:.2f}")


def photographs_in(folder: Path | None) -> dict[str, bytes]:
    """Return the photographs of a folder, or of what we have, by name."""
    if folder is None and corpus.WHOLE.exists():
        # Nine of the collection are one photograph, turned.
        found = {
            row.file: row.data
            for row in corpus.rows()
            if row.verdict == "accept" and "Landscape" not in row.file
        }
    else:
        paths = sorted(path for path in (folder or SAMPLE).rglob("*") if path.is_file())
        found = {path.name: path.read_bytes() for path in paths}
    return {Path(name).name: data for name, data in found.items() if is_photograph(data)}


def is_photograph(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.format in {"JPEG", "MPO", "WEBP"} and image.width * image.height >= SMALLEST
    except (OSError, ValueError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--each", action="store_true", help="print every photograph too")
    options = parser.parse_args()
    photographs = photographs_in(options.folder)
    if not photographs:
        sys.exit(f"There is no photograph of at least {SMALLEST:,} pixels.")
    settings.configure(INSTALLED_APPS=["easy_thumbnails"], MEDIA_ROOT="/nonexistent")
    django.setup()
    Image.init()
    prepare()  # nothing of libvips runs in this process: its threads would not survive the forks
    report(photographs, measure(photographs, options.rounds), each=options.each)


if __name__ == "__main__":
    main()
