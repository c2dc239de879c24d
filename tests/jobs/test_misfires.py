"""What becomes of slots that are due: judged against counts that were worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proj.jobs.misfires import AT_ONCE, Misfire, Range, choose, kept
from proj.jobs.slots import MINUTE, Interval

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def decide(slots: int, *, late: timedelta, misfire: Misfire, period=HOUR, missed_after=10 * SECOND, limit=10):
    """Decide about ``slots`` slots, the last of them ``late``."""
    now = NOON + slots * period + late
    due = Interval(NOON, period).due(NOON, now, kept(limit))
    return choose(due, now, misfire=misfire, missed_after=missed_after, limit=limit)


@pytest.mark.parametrize(
    ("misfire", "runs"),
    [(Misfire.SKIP, [0, 0, 0]), (Misfire.LATEST, [1, 1, 1]), (Misfire.ALL, [1, 3, 10])],
)
def test_a_beat_that_was_away_makes_up_for_1_3_and_30_slots_by_policy(misfire, runs):
    choices = [decide(slots, late=MINUTE, misfire=misfire) for slots in (1, 3, 30)]

    assert [len(choice.runs) for choice in choices] == runs
    assert [choice.skipped.size if choice.skipped else 0 for choice in choices] == [
        slots - run for slots, run in zip((1, 3, 30), runs, strict=True)
    ]


@pytest.mark.parametrize("misfire", list(Misfire))
def test_a_slot_that_is_hardly_late_is_no_misfire(misfire):
    assert decide(1, late=10 * SECOND, misfire=misfire).runs == (NOON + HOUR,)


@pytest.mark.parametrize(("misfire", "runs"), [(Misfire.SKIP, 1), (Misfire.LATEST, 1), (Misfire.ALL, 3)])
def test_a_slot_in_time_makes_up_for_those_that_were_missed(misfire, runs):
    choice = decide(3, late=SECOND, misfire=misfire)

    assert len(choice.runs) == runs
    assert choice.runs[-1] == NOON + 3 * HOUR


def test_a_schedule_of_every_millisecond_is_not_caught_up_with():
    choice = decide(9000, late=timedelta(0), misfire=Misfire.ALL, period=timedelta(milliseconds=1), limit=1)

    assert len(choice.runs) == AT_ONCE + 1
    assert choice.skipped.size == 9000 - AT_ONCE - 1


@given(
    slots=st.integers(0, 400),
    period=st.integers(1, 100),
    late=st.integers(0, 99),
    missed_after=st.integers(0, 1000),
    misfire=st.sampled_from(list(Misfire)),
    limit=st.integers(1, 100),
)
def test_every_slot_is_run_or_skipped_and_the_skipped_ones_come_first(
    slots, period, late, missed_after, **policy
):
    assume(late < period)
    grid = [NOON + step * period * SECOND for step in range(1, slots + 1)]

    choice = decide(
        slots,
        late=late * SECOND,
        period=period * SECOND,
        missed_after=missed_after * SECOND,
        **policy,
    )

    skipped = grid[: len(grid) - len(choice.runs)]
    assert list(choice.runs) == grid[len(skipped) :]
    assert choice.skipped == (Range(skipped[0], skipped[-1], len(skipped)) if skipped else None)
