"""A server on a real socket that misbehaves by script: one action a request, the last one for ever."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

Action = Callable[[socket.socket], None]


def answer(body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Action:
    """Answer properly. A `bytes` body goes as it is, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return raw(_head(status, {"Content-Length": str(len(content)), **(headers or {})}) + content)


def raw(data: bytes) -> Action:
    """Send exactly this and close."""
    return lambda client: client.sendall(data)


def truncated() -> Action:
    """Promise a hundred bytes and send four."""
    return raw(_head(200, {"Content-Length": "100"}) + b'[{"a')


def dropped() -> Action:
    """Reset the connection without an answer."""

    def reset(client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return reset


def silent(seconds: float) -> Action:
    """Say nothing for a while."""
    return lambda _client: time.sleep(seconds)


def dripping(pieces: int, seconds: float) -> Action:
    """Send a long body, one byte at a time."""

    def drip(client: socket.socket) -> None:
        client.sendall(_head(200, {"Content-Length": str(pieces)}))
        for _ in range(pieces):
            time.sleep(seconds)
            client.sendall(b" ")

    return drip


def dripping_headers(seconds: float) -> Action:
    """Send a header that does not end, one byte at a time."""

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(1000):
            time.sleep(seconds)
            client.sendall(b"x")

    return drip


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *[f"{name}: {value}" for name, value in headers.items()]]
    return "\r\n".join([*lines, "Content-Type: application/json", "Connection: close", "", ""]).encode()


class ScriptedServer:
    """Listens on a free loopback port; `requests` are the heads that it received."""

    def __init__(self, *script: Action) -> None:
        self._script = list(script)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone would not wake accept() on Linux.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=5)

    def play(self, *script: Action) -> None:
        """Replace the script."""
        self._script = list(script)

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=[client], daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with client:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = client.recv(65536)
                    if not piece:
                        return
                    head += piece
                self.requests.append(head.decode())
                (self._script.pop(0) if len(self._script) > 1 else self._script[0])(client)
            except OSError:
                return  # the client has gone, as some tests want it to
