"""Stands between a process and PostgreSQL, counts what is executed, and has the process killed at one of the counts.

It reads the protocol's messages, so that it sees what was sent, however the code came to send it: pipelines, explicit
BEGIN and COMMIT, what a library adds. See PostgreSQL's documentation, "Frontend/Backend Protocol", "Message Formats".
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self

# Requests that come before the start-up message; the answer N says that neither is to be had.
_ENCRYPTION_REQUESTS = (80877103, 80877104)
_FLUSH = b"H" + struct.pack("!I", 4)
_COMPLETIONS = b"CIs"  # CommandComplete, EmptyQueryResponse, PortalSuspended

Side = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Boundary:
    """A moment in a request: before or after the statement with this number is executed.

    Before: the server has all that was sent until then, and nothing of the statement. After: it has executed the
    statement and nothing beyond, and nobody has heard of it.
    """

    statement: int
    side: Side


class Wire:
    """A proxy on a port of its own; `statements` is what was executed through it, in order.

    At a boundary it calls `kill` and takes the process's connections with it; without one it only counts.
    """

    def __init__(self, host: str, port: int, *, at: Boundary | None = None, kill: Callable[[], object] = bool) -> None:
        self.statements: list[str] = []
        self._server, self._at, self._kill = (host, port), at, kill
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock, self.reached = threading.Lock(), threading.Event()
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=_Session(self, client, self._server).run, daemon=True).start()

    def count(self, sql: str) -> Boundary | None:
        """Note a statement that is about to be executed; return the boundary if it lies at this one."""
        with self._lock:
            self.statements.append(sql)
            number = len(self.statements) - 1
        return self._at if self._at is not None and self._at.statement == number else None

    def end_process(self) -> None:
        """Kill the process."""
        self._kill()
        self.reached.set()


class _Session:
    """One connection of the process, and the server's end of it."""

    def __init__(self, wire: Wire, client: socket.socket, server: tuple[str, int]) -> None:
        self._wire, self._client = wire, client
        self._server = socket.create_connection(server)
        for end in (client, self._server):
            # A message goes on as soon as it is read: else each waits 40 ms for the acknowledgment of the one before.
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._prepared: dict[bytes, str] = {}
        self._bound: dict[bytes, str] = {}
        self._sent = self._done = 0
        self._progress, self._is_mute = threading.Condition(), False

    def run(self) -> None:
        """Carry messages to the server until one side is gone."""
        answers = threading.Thread(target=self._carry_answers, daemon=True)
        with suppress(ConnectionError, OSError):
            self._start_up()
            answers.start()
            for kind, message in _messages(self._client):
                sql = self._executed(kind, message[5:])
                boundary = None if sql is None else self._wire.count(sql)
                if boundary is not None:
                    self._stop_at(boundary, message)
                    break
                self._sent += sql is not None
                self._server.sendall(message)
        self._close()

    def _start_up(self) -> None:
        while True:
            head = _exactly(self._client, 8)
            length, code = struct.unpack("!II", head)
            if code not in _ENCRYPTION_REQUESTS:
                self._server.sendall(head + _exactly(self._client, length - 8))
                return
            self._client.sendall(b"N")

    def _executed(self, kind: bytes, payload: bytes) -> str | None:
        """Return the SQL that a message executes, if it does."""
        name, _, rest = payload.partition(b"\0")
        match kind:
            case b"Q":
                return name.decode()
            case b"P":
                self._prepared[name] = rest.partition(b"\0")[0].decode()
            case b"B":
                self._bound[name] = self._prepared[rest.partition(b"\0")[0]]
            case b"E":
                return self._bound[name]
        return None

    def _stop_at(self, boundary: Boundary, message: bytes) -> None:
        self._is_mute = True
        if boundary.side == "after":
            self._sent += 1
            self._server.sendall(message + _FLUSH)
        else:
            self._server.sendall(_FLUSH)
        with self._progress:
            assert self._progress.wait_for(lambda: self._done == self._sent, 10), "the server executes what it was sent"
        self._wire.end_process()

    def _carry_answers(self) -> None:
        with suppress(ConnectionError, OSError):
            for kind, message in _messages(self._server):
                with self._progress:
                    self._done += kind in _COMPLETIONS
                    self._progress.notify_all()
                if not self._is_mute:
                    self._client.sendall(message)
        self._close()

    def _close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _messages(source: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    while True:
        head = _exactly(source, 5)
        yield head[:1], head + _exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _exactly(source: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            raise ConnectionError
        data += piece
    return data
