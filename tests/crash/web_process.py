"""Web servers that a test can kill by the dozen: `python -m tests.crash.web_process` forks one for each line it reads.

The parent imports the application once and never opens a connection. A child serves the application that production
serves, over HTTP; its connection to PostgreSQL goes to the database and the port that its line names. For each line the
parent writes the child's pid and its port.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import httpx

ROOT = Path(__file__).resolve().parents[2]

_client = httpx.Client(timeout=20)


class Server:
    """One child."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid, self.port = pid, port

    def post(self, path: str, body: Mapping[str, Any], *, key: str, secret: str) -> httpx.Response:
        """Post, with an idempotency key."""
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
        return _client.post(f"http://127.0.0.1:{self.port}{path}", json=dict(body), headers=headers)

    def kill(self) -> None:
        """Kill it as a crash of the machine would, and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                os.kill(self.pid, 0)  # The parent reaps it.
                time.sleep(0.001)
            raise AssertionError("it lives on")


class Servers:
    """The parent process, as the test sees it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._started: list[Server] = []
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.web_process"],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for server in self._started:
            server.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def start(self, database: str, database_port: int) -> Server:
        """Start a server whose connections to the database go to this port."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{database} {database_port}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self.log.read_text()[-2000:]
        server = Server(*map(int, line.split()))
        self._started.append(server)
        return server


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_values: Any) -> None:
        pass


def main() -> None:
    """Fork a server for each line on stdin."""
    from django.core.wsgi import get_wsgi_application
    from django.urls import get_resolver

    import tests.databases  # noqa: F401  (imported here, once, like all that the URLs lead to)

    application = get_wsgi_application()
    assert get_resolver().url_patterns
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # reaps the children
    for line in sys.stdin:
        database, database_port = line.split()
        server = WSGIServer(("127.0.0.1", 0), _Quiet)
        server.set_app(application)
        pid = os.fork()
        if pid == 0:
            _serve(server, database, database_port)
        sys.stdout.write(f"{pid} {server.server_port}\n")
        sys.stdout.flush()
        server.server_close()


def _serve(server: WSGIServer, database: str, database_port: str) -> None:
    from django.db import connection

    from tests.databases import log_in

    try:
        log_in("web", database)
        connection.settings_dict["PORT"] = database_port
        server.serve_forever()
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
