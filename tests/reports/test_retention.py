import logging
from datetime import timedelta

from reports import retention


class Pile:
    """Things to purge; each batch takes ``seconds``, told to the clock."""

    def __init__(self, count: int, clock: "Clock | None" = None, seconds: float = 0) -> None:
        self.count, self.clock, self.seconds = count, clock, seconds
        self.batches: list[int] = []

    def __call__(self, limit: int, _now) -> int:
        taken = min(limit, self.count)
        self.count -= taken
        self.batches.append(taken)
        if self.clock:
            self.clock.now += self.seconds
        return taken


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_everything_goes_in_bounded_batches():
    carts, sessions = Pile(25), Pile(3)

    done = retention.run({"carts": carts, "sessions": sessions}, batch=10)

    assert done.as_dict() == {"deleted": {"carts": 25, "sessions": 3}, "failed": [], "unfinished": []}
    assert carts.batches == [10, 10, 5]
    assert sessions.batches == [3]


def test_time_that_runs_out_leaves_the_rest_for_the_next_night(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(retention, "time", clock)
    mountain = Pile(1_000, clock, seconds=1)

    first = retention.run({"results": mountain}, batch=10, budget=timedelta(seconds=5))
    second = retention.run({"results": mountain}, batch=10, budget=timedelta(seconds=500))

    assert first.as_dict() == {"deleted": {"results": 50}, "failed": [], "unfinished": ["results"]}
    assert second.as_dict() == {"deleted": {"results": 950}, "failed": [], "unfinished": []}


def test_a_mountain_of_one_kind_does_not_keep_the_others_waiting(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(retention, "time", clock)
    mountain, hill = Pile(1_000, clock, seconds=1), Pile(15, clock, seconds=1)

    done = retention.run({"mountain": mountain, "hill": hill}, batch=10, budget=timedelta(seconds=6))

    assert done.deleted == {"mountain": 40, "hill": 15}
    assert done.unfinished == ["mountain"]


def test_a_purge_that_raises_does_not_stop_the_others(caplog):
    def broken(_limit, _now):
        raise OSError("storage is away")

    pile = Pile(25)

    with caplog.at_level(logging.ERROR):
        done = retention.run({"files": broken, "carts": pile}, batch=10)

    assert done.as_dict() == {"deleted": {"files": 0, "carts": 25}, "failed": ["files"], "unfinished": []}
    assert [record.message for record in caplog.records] == [
        "The clean-up of files failed; the next night tries again."
    ]


def test_the_nightly_run_knows_the_purges_of_every_app():
    names = list(retention.everything())

    assert {"chord counters", "task results", "group results", "sessions", "reports"} <= set(names)
    assert {"carts", "quarantine"} & set(names)
    # The results tell how old a chord is.
    assert names.index("chord counters") < names.index("task results")


def test_the_result_clean_up_takes_results_only():
    assert list(retention.results()) == ["chord counters", "task results", "group results"]
