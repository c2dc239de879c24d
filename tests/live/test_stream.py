"""What a stream writes, and when it ends."""

import itertools

import pytest

from proj.live import stream as streams
from proj.live.kinds import Kind, State
from proj.live.stream import BEAT, Stream

KIND = Kind("thing", lambda keys: {})
QUEUED = State("a", "queued", ended=False)


@pytest.fixture
def stream(db):
    return Stream(KIND, 1, "t-1", person=1)


def test_it_says_when_to_come_back_then_tells_each_change_once(stream):
    stream.offer(QUEUED)
    stream.offer(QUEUED)
    stream.offer(State("b", "ready", ended=True))
    stream.offer(State("c", "ready", ended=True))

    retry, *events = stream

    assert retry in {f"retry: {pause}\n\n".encode() for pause in range(500, 1501)}
    assert events == [
        b'id: a\nevent: change\ndata: {"id": "t-1", "status": "queued", "ended": false}\n\n',
        b'id: b\nevent: change\ndata: {"id": "t-1", "status": "ready", "ended": true}\n\n',
    ]


def test_silence_is_broken_by_heartbeats(stream, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT", 0.01)

    assert list(itertools.islice(stream, 1, 4)) == [BEAT] * 3


def test_no_heartbeat_is_sent_for_a_watcher_that_does_not_look(stream, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT", 0.01)
    monkeypatch.setattr(streams, "UNWATCHED", 0.0)

    assert len(list(stream)) == 1  # retry, and the end


def test_it_ends_after_its_time(db, monkeypatch):
    monkeypatch.setattr(streams, "LIFETIME", 5.1)  # less up to 5 s, by chance
    monkeypatch.setattr(streams, "HEARTBEAT", 0.5)
    stream = Stream(KIND, 1, "t-1", person=1)

    assert len(list(stream)) <= 12
    assert not stream.is_overdue


def test_closing_it_gives_its_place_away_also_when_it_was_never_read(db):
    gone = []
    stream = Stream(KIND, 1, "t-1", person=1, forget=gone.append)

    stream.close()

    assert gone == [stream]
