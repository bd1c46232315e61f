"""A small HTTP load: a few connections that ask for one path again and again."""

import socket
from threading import Thread
from time import perf_counter
from urllib.parse import urlsplit

CONNECTIONS = 4


def requests_per_second(url: str, headers: dict[str, str], *, seconds: float) -> float:
    """Ask for a URL over kept-alive connections for some seconds; return how many answers came a second.

    Raises:
        RuntimeError: an answer was not a 200.
    """
    counts = [0] * CONNECTIONS
    problems: list[str] = []
    started = perf_counter()

    def work(index: int) -> None:
        try:
            counts[index] = _ask(url, headers, until=started + seconds)
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


def _ask(url: str, headers: dict[str, str], *, until: float) -> int:
    parts = urlsplit(url)
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    count = 0
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=30) as connection:
        while perf_counter() < until:
            connection.sendall(request)
            _read_answer(connection)
            count += 1
    return count


def _read_answer(connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            raise RuntimeError("the server closed the connection")
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.split(b"\r\n")[0].decode() + " " + body.decode(errors="replace"))
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    missing = int(fields[b"content-length"]) - len(body)
    while missing > 0:
        missing -= len(connection.recv(min(missing, 1 << 20)))
