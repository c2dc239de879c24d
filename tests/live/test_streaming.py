"""Events over real sockets: a web server of its own, real commits, clients that wait."""

import signal
import time
import uuid

import pytest
import requests
from django.db import transaction

from orders.models import Order
from orders.states import Status, Step, StepState
from proj.api.models import Token
from tests.factories import make_order, make_user
from tests.live.clients import Listener
from tests.waiting import eventually


def move(order: Order, status: Status) -> float:
    """Move an order as a worker does; return when it was committed."""
    with transaction.atomic():
        order.transition_to(status, actor="system")
    return time.monotonic()


@pytest.fixture
def order(shopper):
    return make_order(customer=shopper)


def test_an_event_reaches_a_waiting_client_within_a_second_of_the_commit(serve, listen, order):
    client = listen(serve().events("orders", order.public_id))
    first = client.wait_for(1)
    assert first.data == {"id": str(order.public_id), "status": "placed", "ended": False}

    committed = move(order, Status.VALIDATED)
    second = client.wait_for(2)

    assert second.data["status"] == "validated"
    assert second.id not in {first.id, ""}
    assert second.at - committed < 1
    assert 500 <= client.retry <= 1500


def test_no_proxy_may_hold_events_back(serve, listen, order):
    client = listen(serve().events("orders", order.public_id))

    assert client.headers["Content-Type"] == "text/event-stream"
    assert client.headers["Cache-Control"] == "no-store, no-transform"
    assert client.headers["X-Accel-Buffering"] == "no"
    assert {"ETag", "Content-Encoding", "Content-Length"} & client.headers.keys() == set()


def test_two_devices_are_told_the_same_by_two_processes(serve, listen, order):
    url = serve(workers=2, streams=4).events("orders", order.public_id)

    def let_in() -> Listener | None:
        """As who was sent away comes back: the system chooses which process gets a call."""
        device = listen(url)
        return device if device.status == 200 else None

    devices = [eventually(let_in) for _ in range(6)]
    for device in devices:
        device.wait_for(1)

    order.steps.filter(name=Step.VALIDATE).update(state=StepState.RUNNING)

    assert len({device.wait_for(2).id for device in devices}) == 1


def test_who_comes_back_is_told_what_changed_meanwhile_and_nothing_twice(serve, listen, order):
    url = serve().events("orders", order.public_id)
    seen = listen(url).wait_for(1).id
    unchanged = listen(url, seen)

    move(order, Status.VALIDATED)
    late = listen(url, seen)

    assert late.wait_for(1).data["status"] == "validated"
    assert unchanged.wait_for(1).data["status"] == "validated"
    assert [late.statuses, unchanged.statuses] == [["validated"], ["validated"]]


def test_what_a_killed_process_did_not_tell_the_next_one_does(serve, listen, order):
    server = serve()
    client = listen(server.events("orders", order.public_id))
    seen = client.wait_for(1).id

    server.workers()[0].send_signal(signal.SIGKILL)
    client.wait_for_the_end()
    move(order, Status.VALIDATED)

    assert listen(server.events("orders", order.public_id), seen).wait_for(1).data["status"] == "validated"


def test_a_stream_ends_with_the_order_and_nobody_need_come_back(serve, listen, order):
    url = serve().events("orders", order.public_id)
    client = listen(url)
    client.wait_for(1)

    move(order, Status.CANCELLED)
    last = client.wait_for(2)
    client.wait_for_the_end()

    assert (last.data["status"], last.data["ended"], client.broken) == ("cancelled", True, False)
    assert listen(url, last.id).status == 204
    assert listen(url, "something else").wait_for(1).id == last.id


def test_who_may_not_see_it_is_told_that_it_is_not_there(serve, listen, order):
    server = serve()
    foreign = make_order(customer=make_user())

    for identity in (foreign.public_id, uuid.uuid4()):
        refusal = listen(server.events("orders", identity))
        assert (refusal.status, refusal.headers["Content-Type"]) == (404, "application/problem+json")
    assert requests.get(server.events("orders", order.public_id), timeout=10).status_code == 401


def test_an_order_that_is_deleted_ends_its_streams(serve, listen, order):
    url = serve().events("orders", order.public_id)
    client = listen(url)
    client.wait_for(1)

    order.delete()

    client.wait_for_the_end()
    assert listen(url).status == 404


def test_too_many_are_sent_away_and_other_requests_are_answered_all_the_same(serve, listen, order):
    server = serve(streams=3)
    url = server.events("orders", order.public_id)
    clients = [listen(url) for _ in range(3)]

    refusal = listen(url)

    assert (refusal.status, refusal.headers["Retry-After"]) == (503, "30")
    assert requests.get(f"{server.url}/healthz", timeout=5).status_code == 200
    assert requests.get(f"{server.url}/", timeout=5).status_code == 200  # as the page, which polls now
    clients[0].close()
    eventually(lambda: listen(url).status == 200, seconds=5, why="a place was free")


def test_one_person_does_not_take_the_places_of_others(serve, listen, order):
    url = serve().events("orders", order.public_id)
    clients = [listen(url) for _ in range(6)]

    refusal = listen(url)

    assert {client.status for client in clients} == {200}
    assert (refusal.status, refusal.headers["Retry-After"]) == (429, "30")
    other = make_user()
    theirs = make_order(customer=other)
    url_of_theirs = url.replace(str(order.public_id), str(theirs.public_id))
    with Listener(url_of_theirs, Token.issue(other)[1]) as listener:
        assert listener.status == 200
    clients[0].close()
    eventually(lambda: listen(url).status == 200, seconds=5, why="a place of theirs was free")


def test_without_the_bound_streams_take_every_thread(serve, listen, order):
    server = serve(streams=3, off="bound")
    clients = [listen(server.events("orders", order.public_id)) for _ in range(7)]  # 3 + 4 for requests

    with pytest.raises(requests.Timeout):
        requests.get(f"{server.url}/healthz", timeout=3)
    assert {client.status for client in clients} == {200}


def test_without_the_look_at_connections_a_client_that_has_gone_keeps_its_place(serve, listen, order):
    url = serve(streams=1, off="going").events("orders", order.public_id)
    client = listen(url)
    client.wait_for(1)
    client.close()

    with pytest.raises(AssertionError, match="in vain"):
        eventually(lambda: listen(url).status == 200, seconds=3)


def test_a_database_that_was_away_costs_no_stream_and_no_event(serve, listen, order, database):
    client = listen(serve().events("orders", order.public_id))
    client.wait_for(1)

    database.cut(refuse=True)
    move(order, Status.VALIDATED)
    database.heal()

    assert client.wait_for(2, seconds=5).data["status"] == "validated"
    database.cut()
    move(order, Status.RESERVED)
    assert client.wait_for(3, seconds=5).data["status"] == "reserved"


def test_a_watcher_that_died_is_replaced_with_the_next_stream(serve, listen, order, database):
    server = serve(off="errors")
    deaf = listen(server.events("orders", order.public_id))
    deaf.wait_for(1)
    database.cut()
    move(order, Status.VALIDATED)
    with pytest.raises(AssertionError, match="in vain"):
        deaf.wait_for(2, seconds=2)

    client = listen(server.events("orders", order.public_id))
    client.wait_for(1)

    assert deaf.wait_for(2).data["status"] == "validated"
    move(order, Status.RESERVED)
    assert client.wait_for(2).data["status"] == "reserved"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_its_streams_at_once(serve, listen, order, number):
    server = serve(workers=2, each=40)
    clients = [listen(server.events("orders", order.public_id)) for _ in range(50)]
    for client in clients:
        client.wait_for(1)

    server.popen.send_signal(number)
    for client in clients:
        client.wait_for_the_end(1)

    assert {client.broken for client in clients} == {False}
    # Two seconds of it gunicorn waits for clients that keep their connections, as it does without streams.
    eventually(lambda: server.log.read_text().count("Worker exiting") == 2, seconds=3)


def test_without_that_it_waits_for_them_as_long_as_it_may(serve, listen, order):
    server = serve(off="stopping")
    client = listen(server.events("orders", order.public_id))
    client.wait_for(1)

    server.popen.send_signal(signal.SIGTERM)

    with pytest.raises(AssertionError, match="in vain"):
        eventually(lambda: "Worker exiting" in server.log.read_text(), seconds=5)
    assert not client.over
