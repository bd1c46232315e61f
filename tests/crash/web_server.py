"""Web servers that a test can kill by the dozen: each serves the application that production serves, over HTTP."""

from collections.abc import Mapping
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import httpx
from django.core.wsgi import get_wsgi_application
from django.db import connection

from tests.databases import log_in
from tests.forks import Forks, say

_client = httpx.Client(timeout=20, verify=False)


class Server:
    """One server, whose connection to PostgreSQL goes to this database and port."""

    def __init__(self, forks: Forks, database: str, database_port: int) -> None:
        self._forks = forks
        self._pid = forks.start(serve, database, database_port)
        self._port = int(forks.read())

    def post(self, path: str, body: Mapping[str, Any], *, key: str, secret: str) -> httpx.Response:
        """Post, with an idempotency key."""
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
        return _client.post(f"http://127.0.0.1:{self._port}{path}", json=dict(body), headers=headers)

    def kill(self) -> None:
        """Kill it as a crash of the machine would, and wait until it is gone."""
        self._forks.kill(self._pid)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_values: Any) -> None:
        pass


def serve(database: str, database_port: str) -> None:
    """Serve requests, and say at which port."""
    log_in("web", database)
    connection.settings_dict["PORT"] = database_port
    with WSGIServer(("127.0.0.1", 0), _Quiet) as server:
        server.set_app(get_wsgi_application())
        say(server.server_port)
        server.serve_forever()
