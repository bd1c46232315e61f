"""A receiver that costs next to nothing: it answers 200 to every request, and the time of day to nobody."""

import argparse
import asyncio
import re

_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Sink(asyncio.Protocol):
    """One connection: whole requests in, an answer for each out."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._received = transport, b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (length := self._request_length()) is not None and len(self._received) >= length:
            request, self._received = self._received[:length], self._received[length:]
            self.answer(request)

    def answer(self, request: bytes) -> None:
        """Answer one whole request."""
        self._transport.write(_ANSWER)

    def _request_length(self) -> int | None:
        head, found, _body = self._received.partition(b"\r\n\r\n")
        if not found:
            return None
        match = _LENGTH.search(head)
        return len(head) + 4 + (int(match[1]) if match else 0)


async def serve(port: int) -> None:
    """Serve on loopback until killed."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
