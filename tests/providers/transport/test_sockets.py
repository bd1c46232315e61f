"""Connections that outlive a client: never another thread's, and nothing of one client's is in the next one's."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from apps.providers.enums import ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.transport.sockets import MOST_KEPT, Address, kept_sockets

pytestmark = pytest.mark.no_database

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nSet-Cookie: id=1; Path=/\r\n\r\n{}"


class KeepingServer:
    """Keeps connections open; `seen` are the heads of requests with the number of the connection they came by."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.seen: list[tuple[int, str]] = []
        self.open: list[socket.socket] = []
        self.drips = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Close what is idle, as a load balancer does."""
        for client in self.open:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()
        self.open.clear()

    def _serve(self) -> None:
        number = 0
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            number += 1
            self.open.append(client)
            threading.Thread(target=self._answer, args=[client, number], daemon=True).start()

    def _answer(self, client: socket.socket, number: int) -> None:
        try:
            while head := client.recv(65536):
                self.seen.append((number, head.decode()))
                if self.drips:
                    client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    for _ in range(100):
                        time.sleep(0.05)
                        client.sendall(b"x")
                client.sendall(OK)
        except OSError:
            return


@pytest.fixture
def server() -> Iterator[KeepingServer]:
    running = KeepingServer()
    yield running
    running.close()


@pytest.fixture
def call(server, make_client) -> Callable[..., Any]:
    """Make one call with a client of its own."""

    def run(method: str = "GET", **options: Any) -> Any:
        with_client = make_client(server.url, keeps_connection=True, **options)
        try:
            return with_client.call("op", method, "/x")
        finally:
            with_client.close()

    return run


def connections(server: KeepingServer) -> list[int]:
    return [number for number, _head in server.seen]


def test_the_next_client_goes_on_with_it(server, call):
    for _ in range(3):
        assert call() == {}
    assert connections(server) == [1, 1, 1]


def test_a_client_of_its_own_does_not(server, make_client):
    for _ in range(2):
        client = make_client(server.url)
        client.get("op", "/x")
        client.close()
    assert connections(server) == [1, 2]


def test_each_request_has_its_own_credentials_and_nothing_of_the_last(server, call):
    call(headers={"X-Key": "first"}, auth=("first", ""))
    call(headers={"X-Other": "second"})
    first, second = (head for _number, head in server.seen)
    assert "X-Key: first\r\n" in first
    assert "Authorization: Basic" in first
    assert "X-Other: second\r\n" in second
    assert "first" not in second
    assert "Authorization" not in second
    assert "cookie" not in second.lower()


def test_another_thread_has_another(server, call):
    call()
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    call()
    assert connections(server) == [1, 2, 1]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_that_was_closed_meanwhile_is_made_anew(server, call, method):
    call()
    server.hang_up()
    time.sleep(0.05)
    assert call(method) == {}
    assert connections(server) == [1, 2]


def test_the_deadline_cuts_one_that_was_kept(server, call):
    call()
    server.drips = True
    started = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        call("POST", policy={"deadline_seconds": 0.3, "tries": 1})
    assert (caught.value.category, caught.value.code) == (ErrorCategory.UNKNOWN_OUTCOME, "timeout")
    assert time.monotonic() - started < 1.5
    assert connections(server) == [1, 1]
    server.drips = False
    assert call() == {}
    assert connections(server) == [1, 1, 2]


def test_a_thread_keeps_so_many():
    addresses = [Address(f"http://127.0.0.1:{port}", "", "", False) for port in range(1, MOST_KEPT + 2)]
    kept = [kept_sockets(address) for address in addresses]
    assert kept[0].http.is_closed
    assert [each.http.is_closed for each in kept[1:]] == [False] * MOST_KEPT
    assert kept_sockets(addresses[-1]) is kept[-1]
    assert kept_sockets(addresses[0]) is not kept[0]
