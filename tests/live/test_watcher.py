"""The thread that looks for news, on objects that exist in memory only; what it costs, on rows."""

import os
import threading

import pytest
from django.db import OperationalError

from orders.live import ORDER
from proj.live import stream as streams
from proj.live import watcher as watching
from proj.live.kinds import Kind, State
from proj.live.stream import Stream
from proj.live.watcher import NoRoom, NoRoomForPerson, Watcher
from reports.live import REPORT
from reports.models import Report
from tests.factories import make_order, make_user
from tests.waiting import eventually


class Things:
    """Objects in memory: `read` counts how often it was asked."""

    def __init__(self) -> None:
        self.states = {1: State("a", "queued", ended=False)}
        self.questions: list[list[int]] = []
        self.trouble: Exception | None = None
        self.hold: threading.Event | None = None
        self.kind = Kind("thing", self._read)

    def _read(self, keys):
        self.questions.append(list(keys))
        if self.hold is not None:
            hold, self.hold = self.hold, None
            hold.wait(30)
        if self.trouble is not None:
            raise self.trouble
        return self.states

    def stream(self, key: int = 1, seen: str = "", person: int = 1) -> Stream:
        return Stream(self.kind, key, str(key), person=person, seen=seen)


@pytest.fixture
def things():
    return Things()


@pytest.fixture
def watcher(monkeypatch):
    monkeypatch.setattr(watching, "INTERVAL", 0.01)
    watcher = Watcher()
    yield watcher
    for stream in tuple(watcher._streams):
        watcher.forget(stream)
    watcher._thread = None  # it ends after its next look
    watcher._wake.set()


def news(stream: Stream) -> State | None:
    return stream._news.get(timeout=5)


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 50])
def test_a_look_is_one_query_for_each_kind_however_many_are_watched(number, django_assert_num_queries):
    watcher = Watcher()
    watcher._ensure_thread = lambda: None
    customer = make_user()
    reports = [
        Report.objects.create(date_from="2026-01-01", date_to="2026-01-01", owner=customer)
        for _ in range(number)
    ]
    for kind, rows in (
        (ORDER, [make_order(customer=customer) for _ in range(number)]),
        (REPORT, reports),
    ):
        for row in rows:
            watcher.add(Stream(kind, row.pk, str(row.public_id), person=customer.pk), bound=100, each=100)

    with django_assert_num_queries(2):
        watcher.look()

    assert [news(stream).status for stream in watcher._streams if stream.kind is ORDER] == ["placed"] * number


def test_nothing_is_asked_while_nobody_watches(watcher, things):
    stream = things.stream()
    watcher.add(stream, bound=1, each=1)
    assert news(stream).version == "a"
    watcher.forget(stream)
    eventually(lambda: not watcher._wake.is_set())
    # The next to come is looked after by the same thread, which has asked nothing since.
    thread, asked = watcher._thread, len(things.questions)
    other = things.stream(seen="b")
    assert len(things.questions) <= asked + 1
    watcher.add(other, bound=1, each=1)
    assert news(other).version == "a"
    assert watcher._thread is thread


def test_what_a_client_has_seen_is_not_told_again(watcher, things):
    seen, news_for = things.stream(seen="a"), things.stream()
    watcher.add(seen, bound=2, each=2)
    watcher.add(news_for, bound=2, each=2)
    assert news(news_for).version == "a"

    things.states = {1: State("b", "ready", ended=True)}

    assert news(seen) == State("b", "ready", ended=True)
    assert news(news_for).version == "b"
    assert seen._news.empty()


def test_a_thing_that_is_gone_ends_its_stream(watcher, things):
    stream = things.stream(key=2)
    watcher.add(stream, bound=1, each=1)

    assert news(stream) is None


@pytest.mark.parametrize("trouble", [OperationalError("away"), RuntimeError("nobody thought of it")])
def test_trouble_ends_neither_the_watcher_nor_its_streams(watcher, things, trouble, caplog):
    stream = things.stream()
    things.trouble = trouble
    watcher.add(stream, bound=1, each=1)
    eventually(lambda: len(things.questions) > 2)

    things.trouble = None

    assert news(stream).version == "a"
    assert caplog.records


def test_a_database_that_is_away_is_said_once(watcher, things, caplog):
    things.trouble = OperationalError("away")
    watcher.add(things.stream(), bound=1, each=1)
    eventually(lambda: len(things.questions) > 5)

    assert [record.getMessage() for record in caplog.records] == ["live: the database does not answer: away"]


def test_a_watcher_that_hangs_is_replaced_with_the_next_stream(watcher, things, monkeypatch):
    hold = things.hold = threading.Event()
    stuck = things.stream()
    watcher.add(stuck, bound=2, each=2)
    eventually(lambda: things.questions)
    first = watcher._thread
    monkeypatch.setattr(watching, "HANGS", 0.0)

    watcher.add(things.stream(), bound=2, each=2)

    assert watcher._thread is not first
    assert news(stuck).version == "a"
    hold.set()
    first.join(10)
    assert not first.is_alive()


def test_a_child_of_this_process_begins_with_no_streams_and_a_thread_of_its_own(watcher, things):
    watcher.add(things.stream(), bound=1, each=1)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, f"{len(watcher)} {watcher._thread}".encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 100) == b"0 None"
    assert len(watcher) == 1
    os.close(reading)
    os.close(writing)


def test_no_more_than_the_bound_and_none_once_it_is_stopping(watcher, things):
    first = things.stream()
    watcher.add(first, bound=1, each=1)
    with pytest.raises(NoRoom):
        watcher.add(things.stream(), bound=1, each=1)
    assert news(first).version == "a"

    watcher.stop()

    assert news(first) is None
    watcher.forget(first)
    with pytest.raises(NoRoom):
        watcher.add(things.stream(), bound=1, each=1)


def test_one_person_has_no_more_than_a_share_and_leaves_the_rest_to_others(watcher, things):
    mine = [things.stream(person=1) for _ in range(2)]
    for stream in mine:
        watcher.add(stream, bound=5, each=2)

    with pytest.raises(NoRoomForPerson):
        watcher.add(things.stream(person=1), bound=5, each=2)

    watcher.add(things.stream(person=2), bound=5, each=2)
    watcher.forget(mine[0])
    watcher.add(things.stream(person=1), bound=5, each=2)
    assert len(watcher) == 3


def test_a_stream_that_the_server_has_lost_gives_its_place_away(watcher, things, monkeypatch):
    monkeypatch.setattr(streams, "LIFETIME", -10.0)
    watcher.add(things.stream(), bound=1, each=1)

    eventually(lambda: len(watcher) == 0)
