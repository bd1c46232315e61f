"""The web server as it runs in production; a test can kill and start it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx

from tests.sandbox_process import free_port

ROOT = Path(__file__).resolve().parents[3]


class WebProcess:
    """granian with one serving process."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.port, self.log = free_port(), log
        self._environment = dict(environment)
        self._main: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        options += ["--blocking-threads", "4", "--log-level", "warning"]
        with self.log.open("ab") as output:
            self._main = subprocess.Popen(
                [sys.executable, "-m", "granian", *options, "finops.wsgi:application"],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait_until_ready()

    def wait_until_ready(self, *, seconds: float = 60) -> None:
        """Wait until requests are answered."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{self.port}/livez", verify=False, timeout=5).raise_for_status()
                return
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill all of it with SIGKILL."""
        if self._main is not None:
            process, self._main = self._main, None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def post(self, path: str, body: Mapping[str, Any], *, key: str, secret: str) -> httpx.Response:
        """Post, with an idempotency key."""
        headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
        return httpx.post(
            f"http://127.0.0.1:{self.port}{path}", verify=False, json=dict(body), headers=headers, timeout=20
        )
