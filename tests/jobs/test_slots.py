"""Slots: pure, so judged against counts that were worked out by hand, and against plain searches."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proj.jobs.slots import DAY, MINUTE, Clocked, Crontab, Interval

NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def slots_of(day: str, zone: str, **expressions: str) -> list[datetime]:
    """Return the slots of a calendar day of a zone."""
    tz = ZoneInfo(zone)
    first = datetime.combine(date.fromisoformat(day), time(), tz)
    end = datetime.combine(first.date() + DAY, time(), tz).astimezone(UTC)
    crontab = Crontab.parse(tz, **expressions)
    return list(
        takewhile(lambda slot: slot < end, crontab.after(first.astimezone(UTC) - timedelta.resolution))
    )


def shown(slots: list[datetime], zone: str) -> list[str]:
    """Return what the wall shows."""
    return [f"{slot.astimezone(ZoneInfo(zone)):%H:%M %Z}" for slot in slots]


# Clocks go forward in New York at 02:00 by 1 h, in Berlin at 02:00 by 1 h, on Lord Howe at 02:00 by half an hour;
# and back in New York at 02:00, in Berlin at 03:00, on Lord Howe at 02:00.
@pytest.mark.parametrize(
    ("zone", "day", "hourly", "half_hourly", "every_minute"),
    [
        (NEW_YORK, "2026-03-07", 24, 48, 1440),
        (NEW_YORK, "2026-03-08", 23, 46, 1380),
        (NEW_YORK, "2026-11-01", 25, 50, 1500),
        (BERLIN, "2026-03-29", 23, 46, 1380),
        (BERLIN, "2026-10-25", 25, 50, 1500),
        # The wall never shows 02:00, and shows 01:30 twice.
        (LORD_HOWE, "2026-10-04", 23, 47, 1410),
        (LORD_HOWE, "2026-04-05", 24, 49, 1470),
    ],
)
def test_a_job_of_every_hour_runs_as_often_as_the_wall_shows_its_time(
    zone, day, hourly, half_hourly, every_minute
):
    counted = [len(slots_of(day, zone, minute=minute)) for minute in ("0", "*/30", "*")]

    assert counted == [hourly, half_hourly, every_minute]


@pytest.mark.parametrize(
    ("zone", "day", "hour", "minute", "expected"),
    [
        (NEW_YORK, "2026-03-07", "2", "30", ["02:30 EST"]),
        (NEW_YORK, "2026-03-08", "2", "30", ["03:00 EDT"]),  # 02:30 is jumped over
        (NEW_YORK, "2026-03-08", "9", "0", ["09:00 EDT"]),
        (NEW_YORK, "2026-11-01", "1", "30", ["01:30 EDT"]),  # the first of the two
        (BERLIN, "2026-03-29", "2", "15", ["03:00 CEST"]),
        (BERLIN, "2026-03-29", "3", "0", ["03:00 CEST"]),
        (BERLIN, "2026-10-25", "2", "30", ["02:30 CEST"]),
        (LORD_HOWE, "2026-10-04", "2", "15", ["02:30 +11"]),
        (LORD_HOWE, "2026-10-04", "2", "30", ["02:30 +11"]),
        (LORD_HOWE, "2026-04-05", "1", "45", ["01:45 +11"]),
    ],
)
def test_a_daily_job_runs_once_whatever_the_clock_does(zone, day, hour, minute, expected):
    assert shown(slots_of(day, zone, hour=hour, minute=minute), zone) == expected


@pytest.mark.parametrize("zone", [NEW_YORK, BERLIN, LORD_HOWE])
@pytest.mark.parametrize("minute", ["0", "15", "30", "59"])
@pytest.mark.parametrize("hour", ["0", "1", "2", "3", "23"])
def test_a_daily_job_runs_on_each_day_of_a_year(zone, hour, minute):
    crontab = Crontab.parse(ZoneInfo(zone), hour=hour, minute=minute)
    new_year = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    slots = list(islice(crontab.after(new_year - SECOND), 365))

    days = [slot.astimezone(ZoneInfo(zone)).date() for slot in slots]
    assert days == [date(2026, 1, 1) + step * DAY for step in range(365)]


def test_times_that_are_jumped_over_together_are_one_run():
    slots = slots_of("2026-03-08", NEW_YORK, hour="2,3", minute="0,30")

    assert shown(slots, NEW_YORK) == ["03:00 EDT", "03:30 EDT"]


def test_a_month_has_to_match_and_a_weekday_too():
    crontab = Crontab.parse(ZoneInfo("UTC"), minute="0", hour="9", day_of_month="13", day_of_week="fri")

    found = [f"{slot:%Y-%m-%d}" for slot in islice(crontab.after(NOON), 3)]

    assert found == ["2026-11-13", "2027-08-13", "2028-10-13"]


def test_the_rarest_day_is_found_and_the_search_for_it_ends():
    leap_monday = Crontab.parse(
        ZoneInfo("UTC"), minute="0", hour="0", day_of_month="29", month_of_year="2", day_of_week="mon"
    )

    assert next(leap_monday.after(datetime(2072, 3, 1, tzinfo=UTC))) == datetime(2112, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "expressions",
    [
        {"minute": "60"},
        {"hour": "0-99999999999"},
        {"day_of_week": "7"},
        {"day_of_month": "30", "month_of_year": "2"},
        {"minute": "*/0"},
        {"minute": ""},
    ],
)
def test_a_crontab_that_says_nothing_is_refused(expressions):
    with pytest.raises(ValueError, match=r"."):
        Crontab.parse(ZoneInfo("UTC"), **expressions)


# All of a day or of an hour, or some of it; the moments are around the days on which clocks change.
FIELDS = st.fixed_dictionaries(
    {
        "minute": st.sampled_from(["*", "*/7", "*/30", "0", "15,45", "59"]),
        "hour": st.sampled_from(["*", "*/2", "0", "1", "2", "1-3", "23"]),
        "day_of_week": st.sampled_from(["*", "sun", "mon-fri"]),
    }
)
ZONES = st.sampled_from(
    [NEW_YORK, BERLIN, LORD_HOWE, "UTC", "Asia/Kathmandu", "Africa/Cairo", "Antarctica/Troll"]
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(fields=FIELDS, zone=ZONES, moment=MOMENTS)
def test_a_crontab_names_later_moments_in_order_whichever_it_starts_from(fields, zone, moment):
    crontab = Crontab.parse(ZoneInfo(zone), **fields)

    slots = list(islice(crontab.after(moment), 8))

    assert slots[0] > moment
    assert all(earlier < later for earlier, later in pairwise(slots))
    assert all(slot.second == slot.microsecond == 0 for slot in slots)
    assert [next(crontab.after(slot)) for slot in slots[:-1]] == slots[1:]


@given(fields=FIELDS, zone=ZONES, moment=MOMENTS)
def test_a_literal_crontab_names_every_minute_that_matches_the_wall(fields, zone, moment):
    crontab = Crontab.parse(ZoneInfo(zone), **fields)
    assume(crontab.literal)
    until = moment + 26 * HOUR
    minute = moment.replace(second=0, microsecond=0)

    expected = []
    while (minute := minute + MINUTE) <= until:
        wall = minute.astimezone(ZoneInfo(zone))
        if (
            wall.minute in crontab.minutes
            and wall.hour in crontab.hours
            and wall.isoweekday() % 7 in crontab.weekdays
        ):
            expected.append(minute)

    assert list(crontab.due(moment, until, 3000).recent) == expected


@given(
    start=MOMENTS,
    period=st.timedeltas(timedelta(milliseconds=1), timedelta(days=40)),
    past=st.timedeltas(timedelta(0), timedelta(days=3)),
    keep=st.integers(1, 20),
)
def test_an_interval_is_a_grid_that_a_late_look_does_not_move(start, period, past, keep):
    assume(past // period < 2000)
    interval = Interval(start, period)
    until = start + past

    due = interval.due(start, until, keep)

    walked = list(takewhile(lambda slot: slot <= until, interval.after(start)))
    assert due == (len(walked), walked[0] if walked else None, tuple(walked[-keep:]))
    assert all((slot - start) % period == timedelta(0) for slot in walked)


def test_a_month_of_seconds_is_counted_without_walking_through_it():
    due = Interval(NOON, SECOND).due(NOON, NOON + timedelta(days=30), 2)

    assert due.size == 30 * 24 * 60 * 60
    assert due.recent == (NOON + timedelta(days=30) - SECOND, NOON + timedelta(days=30))


def test_an_interval_that_starts_later_has_its_first_slot_at_the_start():
    interval = Interval(NOON, HOUR)

    assert list(islice(interval.after(NOON - timedelta(days=1)), 2)) == [NOON, NOON + HOUR]


def test_a_clocked_schedule_names_one_moment():
    assert list(Clocked(NOON).after(NOON - SECOND)) == [NOON]
    assert list(Clocked(NOON).after(NOON)) == []
