"""A client's server for webhooks: receives, verifies and keeps them."""

import base64
import hashlib
import hmac
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self

TOLERANCE_SECONDS = 300


class Listener:
    """Listens on a free loopback port until the block ends. `secret` is set once the endpoint is created."""

    def __init__(self) -> None:
        self.secret = ""
        self.verified: list[dict[str, Any]] = []
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/finops"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def find(self, event_type: str, order_id: str) -> dict[str, Any] | None:
        """Return the verified webhook of this type about this order."""
        matching = (hook for hook in self.verified if hook["type"] == event_type and hook["data"]["id"] == order_id)
        return next(matching, None)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                is_genuine = verify(dict(self.headers.items()), body, listener.secret)
                if is_genuine:
                    listener.verified.append(json.loads(body))
                listener.refused += not is_genuine
                self.send_response(204 if is_genuine else 401)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Keep quiet: the tour speaks."""

        return Handler


def verify(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Tell whether a webhook is genuine and recent (https://www.standardwebhooks.com, "Signature scheme")."""
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(hmac.compare_digest(expected, one) for one in given.get("webhook-signature", "").split(" "))
