import pytest

from tests.media.corpus import Outcome, judge, rows, table

# The decoder's limit is 10 s for a picture; none of these comes near it, on a busy machine either.
SLOWEST = 5.0


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    judged = [judge(row) for row in rows()]
    print(f"\n{table(judged)}")  # noqa: T201  pytest shows it with -rP, or when a test fails
    return judged


def misjudged(outcomes: list[Outcome], verdict: str) -> list[tuple[str, str, str]]:
    return [
        (each.row.file, each.result, each.detail)
        for each in outcomes
        if each.row.verdict == verdict and not each.as_asked
    ]


def test_every_good_picture_gets_five_right_thumbnails(outcomes):
    assert misjudged(outcomes, "accept") == []


def test_every_bad_picture_is_refused(outcomes):
    assert misjudged(outcomes, "reject") == []


def test_every_doubtful_picture_ends_one_way_or_the_other(outcomes):
    assert misjudged(outcomes, "either") + misjudged(outcomes, "accept_if_supported") == []


def test_every_refusal_is_a_sentence(outcomes):
    details = {each.detail.partition(": ")[2] for each in outcomes if each.result == "refused"}
    assert [detail for detail in details if not (detail[0].isupper() and detail.endswith("."))] == []


def test_no_picture_takes_long(outcomes):
    assert [(each.row.file, each.seconds) for each in outcomes if each.seconds > SLOWEST] == []


def test_no_thumbnail_carries_a_payload(outcomes):
    payloads = (b"<script", b"<?php", b"PK\x03\x04", b"etc/passwd", b"GPS", b"Exif", b"http://ns.adobe.com")
    carriers = [
        (each.row.file, thumbnail.size, payload)
        for each in outcomes
        for thumbnail in each.thumbnails
        for payload in payloads
        if payload in thumbnail.content
    ]
    assert carriers == []
