"""A receiver that notes when the first byte of each delivery to `/healthy` came; `/hang` is never answered."""

import argparse
import asyncio
import re
import time

from benchmarks.sink import Sink

_ID = re.compile(rb'"number":(\d+)')
_SEEN: list[tuple[int, float]] = []


class Clocked(Sink):
    """One connection; GET /seen tells of "number" in each body, and the monotonic time of its request's first byte."""

    _began: float | None = None

    def data_received(self, data: bytes) -> None:
        self._began = self._began or time.monotonic()
        super().data_received(data)
        if not self._received:
            self._began = None

    def answer(self, request: bytes) -> None:
        if request.startswith(b"GET /seen"):
            body = "\n".join(f"{number} {at!r}" for number, at in _SEEN).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        elif not request.startswith(b"POST /hang"):
            found = _ID.search(request)
            if found and request.startswith(b"POST /healthy"):
                _SEEN.append((int(found[1]), self._began or 0.0))
            super().answer(request)


async def serve(port: int) -> None:
    """Serve on loopback until killed."""
    server = await asyncio.get_running_loop().create_server(Clocked, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
