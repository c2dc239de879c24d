"""A TCP proxy that misbehaves as networks do: cut, half-open, slow, and a reply that is lost."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self

CHUNK = 65536


class Link:
    """One connection through the proxy: two sockets, and a thread for each direction."""

    def __init__(self, proxy: "Proxy", client: socket.socket, server: socket.socket) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.frozen = proxy.frozen
        self.loses_reply = False
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self.frozen:
                    continue  # taken, acknowledged, and gone: neither end learns anything
                time.sleep(self.proxy.delay)
                if source is self.client and self.proxy.takes_reply_of(data):
                    self.loses_reply = True
                if source is self.server and self.loses_reply:
                    break
                target.sendall(data)
        if not self.frozen:
            self.cut()

    def cut(self) -> None:
        """End it, for both ends to see."""
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Proxy:
    """Listens on a port of its own and passes on to ``host:port``, until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.delay = 0.0  # seconds that each piece of data takes longer
        self.frozen = False  # new connections are accepted and never answered
        self.refuses = False
        self.links: list[Link] = []
        self.lost_replies = 0
        self._lose: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.refuses:
                    client.close()
                    continue
                try:
                    server = socket.create_connection(self.target)
                except OSError:
                    client.close()
                    continue
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.links.append(Link(self, client, server))

    def cut(self, *, refuse: bool = False) -> None:
        """End every connection; with ``refuse``, new ones too, until :meth:`heal`."""
        self.refuses = refuse
        for link in self.links:
            link.cut()
        self.links.clear()

    def half_open(self, *, also_new: bool = False) -> None:
        """Swallow everything on the connections there are, in silence; with ``also_new``, on new ones too."""
        self.frozen = also_new
        for link in self.links:
            link.frozen = True

    def slow(self, seconds: float) -> None:
        """Delay each piece of data."""
        self.delay = seconds

    def lose_reply_of(self, command: bytes) -> None:
        """Let the next request with ``command`` in it through, and cut its connection instead of its reply."""
        self._lose = command

    def takes_reply_of(self, data: bytes) -> bool:
        """Whether the reply to ``data`` is the one to be lost."""
        if self._lose is None or self._lose not in data:
            return False
        self._lose = None
        self.lost_replies += 1
        return True

    def heal(self) -> None:
        """Be a good network again. What was swallowed stays lost, and frozen connections end."""
        self.delay, self.frozen, self.refuses, self._lose = 0.0, False, False, None
        for link in [link for link in self.links if link.frozen]:
            link.cut()
            self.links.remove(link)
