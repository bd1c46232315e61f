"""A small HTTP load: a few connections that send requests again and again."""

import socket
from collections.abc import Callable
from threading import Thread
from time import perf_counter
from urllib.parse import urlsplit

CONNECTIONS = 4

# Makes the bytes of one more request; what the connections share in it must be safe for threads.
Request = Callable[[], bytes]


def requests_per_second(url: str, headers: dict[str, str], *, seconds: float) -> float:
    """Ask for a URL over kept-alive connections for some seconds; return how many answers came a second.

    Raises:
        RuntimeError: an answer was not a 200.
    """
    parts = urlsplit(url)
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    return answers_per_second(url, lambda: request, expected=b"200", seconds=seconds)


def answers_per_second(
    url: str, request: Request, *, expected: bytes, containing: bytes = b"", seconds: float
) -> float:
    """Send requests over kept-alive connections for some seconds; return how many answers came a second.

    Raises:
        RuntimeError: an answer had another status than expected, or did not contain what it should.
    """
    parts, counts, problems = urlsplit(url), [0] * CONNECTIONS, list[str]()
    started = perf_counter()

    def work(index: int) -> None:
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30) as connection:
                while perf_counter() < started + seconds:
                    connection.sendall(request())
                    head, body = _read_answer(connection)
                    if not head.startswith(b"HTTP/1.1 " + expected) or containing not in body:
                        raise RuntimeError(head.split(b"\r\n")[0].decode() + " " + body.decode(errors="replace"))
                    counts[index] += 1
        except (RuntimeError, OSError) as error:
            problems.append(str(error))

    threads = [Thread(target=work, args=[index]) for index in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise RuntimeError(problems[0])
    return sum(counts) / (perf_counter() - started)


def _read_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            raise RuntimeError("the server closed the connection")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    missing, pieces = int(fields[b"content-length"]) - len(body), [body]
    while missing > 0:
        pieces.append(connection.recv(min(missing, 1 << 20)))
        missing -= len(pieces[-1])
    return head, b"".join(pieces)
