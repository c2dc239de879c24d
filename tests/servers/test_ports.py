import http.client
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from proj.servers import redis as redis_server
from proj.servers import state
from proj.servers.processes import SOURCE, Process
from proj.servers.redis import Redis
from proj.servers.state import LOOPBACK, free_port, listen
from proj.servers.supervisor import Supervisor
from tests.waiting import eventually

# Serves on the socket that it inherited, and ends after the first answer.
ONE_ANSWER = """
import socket, sys
listening = socket.socket(fileno=int(sys.argv[1]))
connection, _ = listening.accept()
connection.recv(1000)
connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\nours")
connection.close()
"""


def test_a_port_that_is_taken_is_passed_over():
    with listen(0) as first:
        port = first.getsockname()[1]
        with listen(port) as second:
            assert second.getsockname()[1] > port


def test_a_port_that_is_taken_after_it_was_found_free_is_passed_over(monkeypatch):
    monkeypatch.setattr(state, "is_free", lambda port: True)
    with listen(0) as first:
        port = first.getsockname()[1]
        with listen(port) as second:
            assert second.getsockname()[1] > port


def test_nobody_else_can_have_a_port_that_nothing_answers_on_yet():
    with listen(0) as held, pytest.raises(OSError, match="in use"):
        HTTPServer(held.getsockname(), BaseHTTPRequestHandler)


def test_a_process_that_is_started_again_finds_its_port_and_those_who_wait(var_dir):
    (var_dir / "run").mkdir()
    with listen(0) as listening:
        argv = [sys.executable, "-c", ONE_ANSWER, str(listening.fileno())]
        process = Process("it", argv, {}, SOURCE, grace=5, inherits=(listening.fileno(),))
        supervisor = Supervisor([process], var_dir)
        supervisor.start()
        answers = []
        for _ in range(2):
            connection = http.client.HTTPConnection(*listening.getsockname(), timeout=30)
            connection.request("GET", "/")
            eventually(lambda: supervisor.look() or not supervisor.children[0].is_running)
            eventually(lambda: supervisor.look() or supervisor.children[0].is_running)
            answers.append(connection.getresponse().read())
            connection.close()
        supervisor.stop()
    assert answers == [b"ours", b"ours"]


def test_redis_moves_when_its_port_is_taken_in_the_moment_between(var_dir, monkeypatch):
    looks = []

    def is_free(port: int) -> bool:
        looks.append(port)
        return len(looks) == 1 or state.is_free(port)

    monkeypatch.setattr(redis_server, "is_free", is_free)
    folder = var_dir / "servers"
    folder.mkdir()
    server = Redis(folder, durable=False)
    with socket.create_server((LOOPBACK, server.endpoint.port)) as thief:
        server.start()
        try:
            assert server.is_running()
            assert server.endpoint.port != thief.getsockname()[1]
            assert len(looks) == 2
        finally:
            server.stop()


def test_a_server_that_is_not_ours_does_not_count_as_running(var_dir):
    folder = var_dir / "servers"
    folder.mkdir()
    ours = Redis(folder, durable=False)
    stranger = Redis(folder, durable=False)
    stranger.endpoint = ours.endpoint._replace(port=free_port(), password="somebody-else")
    stranger.start()
    try:
        ours.endpoint = ours.endpoint._replace(port=stranger.endpoint.port)
        assert stranger.is_running()
        assert not ours.is_running()
    finally:
        stranger.stop()
