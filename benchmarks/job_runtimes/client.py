"""The process that enqueues for one runtime: ``python -m benchmarks.job_runtimes.client MODULE``.

A command is one line of JSON on its input, ``[name, argument...]``, and the answer one on its output.
"""

import importlib
import json
import sys
import time
from typing import Any

import django

from benchmarks.job_runtimes import marks

PATIENCE = 60.0  # seconds that one job, or a batch of chains, may take


class Client:
    def __init__(self, runtime: Any) -> None:
        self.runtime = runtime
        self.number = 0
        self.expected = 0  # marks, when everything that was enqueued has run

    def prepare(self) -> None:
        self.runtime.prepare()

    def processes(self) -> list[list[str]]:
        """Return the arguments for Python of each process that works."""
        return [list(arguments) for arguments in self.runtime.PROCESSES]

    def owed(self) -> int:
        return self.expected - marks.count()

    def top_up(self, owed: int) -> int:
        """Enqueue in batches until so many are owed; the number that was missing."""
        missing = max(0, owed - self.owed())
        for first in range(0, missing, 1000):
            numbers = range(self.number, self.number + min(1000, missing - first))
            self.runtime.fill(numbers)
            self._count(len(numbers), len(numbers))
        return missing

    def enqueue(self, seconds: float) -> float:
        """Enqueue one by one for some time; jobs per second."""
        start, count = time.perf_counter(), 0
        while (took := time.perf_counter() - start) < seconds:
            self.runtime.enqueue(self.number)
            self._count(1, 1)
            count += 1
        return count / took

    def group(self, size: int) -> float:
        """Enqueue one group; jobs per second."""
        start = time.perf_counter()
        self.runtime.enqueue_group(range(self.number, self.number + size))
        took = time.perf_counter() - start
        self._count(size, size)
        return size / took

    def latencies(self, count: int) -> list[float]:
        """Run jobs one at a time; milliseconds from the call to the stored result, or to the end without one."""
        started, ids = {}, {}
        for _ in range(count):
            number, started[self.number] = self.number, time.time()
            ids[number] = self.runtime.enqueue(number)
            self._count(1, 1)
            self._wait(0.001)
            time.sleep(0.005)  # the result is stored meanwhile
        time.sleep(0.1)
        ended = self.runtime.results(list(ids.values()))
        ran = marks.moments()
        return [1000 * (ended.get(ids[number], ran[number]) - started[number]) for number in ids]

    def chains(self, count: int) -> float:
        """Enqueue chains of five and wait for the last; chains per second."""
        start = time.perf_counter()
        for _ in range(count):
            self.runtime.enqueue_chain(self.number)
            self._count(1, 5)
        self._wait(0.005)
        return count / (time.perf_counter() - start)

    def drain(self) -> None:
        """Wait until nothing is owed."""
        self._wait(0.01)

    def _count(self, numbers: int, runs: int) -> None:
        self.number += numbers
        self.expected += runs

    def _wait(self, pause: float) -> None:
        deadline = time.monotonic() + PATIENCE
        while marks.count() < self.expected:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.owed()} jobs have not run")
            time.sleep(pause)


def main() -> None:
    django.setup()
    client = Client(importlib.import_module(sys.argv[1]))
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(client, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
