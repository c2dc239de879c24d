from datetime import date, timedelta

from reports.pipeline import chunks


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]


def test_a_year_is_cut_into_months_at_most():
    year = days(date(2026, 1, 1), 365)

    parts = list(chunks(year))

    assert [(last - first).days + 1 for first, last in parts] == [31] * 11 + [24]
    assert parts[0][0] == year[0]
    assert parts[-1][1] == year[-1]


def test_a_gap_begins_a_new_chunk():
    missing = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 5)]

    assert list(chunks(missing)) == [
        (date(2026, 1, 1), date(2026, 1, 2)),
        (date(2026, 1, 5), date(2026, 1, 5)),
    ]


def test_no_days_make_no_chunk():
    assert list(chunks([])) == []
