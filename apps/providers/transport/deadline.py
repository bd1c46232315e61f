"""Ends an exchange at its deadline, whatever the other side does.

httpx bounds each read, not their sum: a server that sends a header byte a second keeps a reader for hours.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_CONNECTED = ("connect_tcp.complete", "start_tls.complete")
_SENDING = "send_request_headers.started"


class SocketWatch:
    """Knows the socket of the exchange under way, and shuts it down when time is up.

    `trace` is for httpx's request extension of that name, which tells of each connection made. `has_sent` says whether
    anything of the request may have left; whoever begins an exchange sets it back.
    """

    def __init__(self) -> None:
        self._stream: Any = None
        self.has_sent = False

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Remember the connection; a kept-alive one is the one of the exchange before."""
        if event.endswith(_CONNECTED):
            self._stream = info["return_value"]
        elif event.endswith(_SENDING):
            self.has_sent = True

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cut the connection when the block takes longer; whoever reads from it sees it end."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        used = self._stream.get_extra_info("socket") if self._stream is not None else None
        if used is not None:
            # The plain socket's own shutdown: TLS state belongs to the thread that reads.
            with suppress(OSError):
                socket.socket.shutdown(used, socket.SHUT_RDWR)
