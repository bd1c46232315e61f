"""Keys are rotated on the running platform, again and again, and nobody who uses it meanwhile can tell."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook

from finops.embedded.ports import choose
from tests.embedded.conftest import PROJECT, eventually
from tests.embedded.test_platform import running
from tests.embedded.test_run import environment_of
from tests.webhooks.receiver import Receiver

pytestmark = [pytest.mark.prove, pytest.mark.no_database]

ROUNDS = 2
OVERLAP_SECONDS = 600


class Crowd:
    """Clients of one tenant, each in a thread of its own; whatever is not as it should be is a failure."""

    def __init__(self, demo: dict[str, Any]) -> None:
        self.demo, self.tenant = demo, demo["tenants"][0]
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def at_work(self, *clients: Callable[[], Iterator[str]]) -> Iterator[None]:
        threads = [threading.Thread(target=self._work, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def _work(self, client: Callable[[], Iterator[str]]) -> None:
        try:
            for what in client():
                self.done[what] += 1
                if self._stop.wait(0.02):
                    return
        except (AssertionError, KeyError, httpx.HTTPError) as error:
            self.failures.append(f"{client.__name__}: {error!r}")

    def api(self, secret: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {secret or self.tenant['api_key']}"}
        return httpx.Client(base_url=f"{self.demo['base_url']}/api/v1", headers=headers, timeout=20)

    def with_a_key(self) -> Iterator[str]:
        with self.api() as api:
            while True:
                answered(api.get("/tenant"), 200)
                yield "reads with a key"

    def signed_in(self) -> Iterator[str]:
        with self.api("none") as api:
            tokens = answered(api.post("/auth/token", json={**self.tenant["owner"]}), 200)
            while True:
                for _request in range(5):
                    answered(api.get("/me", headers={"Authorization": f"Bearer {tokens['access']}"}), 200)
                    yield "reads with an access token"
                following = answered(api.post("/auth/token/refresh", json={"refresh": tokens["refresh"]}), 200)
                again = answered(api.post("/auth/token/refresh", json={"refresh": tokens["refresh"]}), 200)
                assert again["refresh"] == following["refresh"]
                tokens = following
                yield "refreshes, each asked twice"

    def synchronising(self) -> Iterator[str]:
        with self.api() as api:
            connections = answered(api.get("/connections"), 200)["data"]
            while True:
                for connection in connections:
                    run = answered(api.post(f"/connections/{connection['id']}/sync"), 202)
                    while run["status"] in ("queued", "running"):
                        time.sleep(0.1)
                        run = answered(api.get(f"/sync-runs/{run['id']}"), 200)
                    assert run["status"] == "succeeded", run
                    yield "syncs"

    def repeating(self) -> Iterator[str]:
        with self.api() as api:
            while True:
                asked: dict[str, Any] = {
                    "json": {"name": "one of many", "mode": "test", "scopes": ["tenant:read"]},
                    "headers": {"Idempotency-Key": uuid4().hex},
                }
                first = api.post("/api-keys", **asked)
                made = answered(first, 201)
                yield "secrets made"
                time.sleep(0.5)
                again = api.post("/api-keys", **asked)
                assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
                answered(api.delete(f"/api-keys/{made['id']}"), 204)
                yield "secrets replayed"

    def hooked(self, endpoint: dict[str, Any]) -> Callable[[], Iterator[str]]:
        def testing() -> Iterator[str]:
            with self.api() as api:
                while True:
                    answered(api.post(f"/webhooks/endpoints/{endpoint['id']}/test"), 202)
                    yield "webhooks asked for"

        return testing


def answered(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, f"{response.request.method} {response.request.url}: {response.text}"
    return response.json() if response.content else None


def rotate_keys(home: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "finops", "manage", "rotate_keys", *arguments]
    ended = subprocess.run(
        command,
        env=environment_of(home),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def rotate(home: Path) -> None:
    """Rotate once; the ten minutes of the overlap pass in some seconds, in which every client refreshes its token."""
    rotate_keys(home, "--new")
    rotate_keys(home)
    time.sleep(3)
    for ring in (home / "keys").iterdir():
        past = ring.stat().st_mtime - OVERLAP_SECONDS
        os.utime(ring, (past, past))
    assert rotate_keys(home, "--retire").count("is retired") == 3  # rings: fields, tokens, audit


def test_nobody_notices(home_path: Path) -> None:
    ports = {"port": choose(), "sandbox_port": choose()}
    with running(home_path, **ports), Receiver() as receiver:
        crowd = Crowd(json.loads((home_path / "demo.json").read_text()))
        before = (home_path / "keys" / "field_keys").read_text()
        with crowd.api() as api:
            wanted = {"url": receiver.url, "event_types": ["*"], "description": ""}
            endpoint = answered(api.post("/webhooks/endpoints", json=wanted), 201)
            clients = [crowd.with_a_key, crowd.signed_in, crowd.synchronising, crowd.repeating]
            with crowd.at_work(*clients, crowd.hooked(endpoint)):
                for _round in range(ROUNDS):
                    rotate(home_path)
            asked = crowd.done["webhooks asked for"]
            eventually(lambda: len({one.id for one in receiver.received}) >= asked, seconds=30)
        assert crowd.failures == []
        verify = Webhook(endpoint["secret"])
        for received in receiver.received:
            verify.verify(received.body, dict(received.headers))
        sys.stdout.write(f"{dict(crowd.done)}, {len(receiver.received)} webhooks received\n")
        assert len(crowd.done) == 7
        assert len({one.id for one in receiver.received}) >= asked
        ring = (home_path / "keys" / "field_keys").read_text()
        assert (ring.count(":"), ring == before) == (1, False)
        assert "nothing to retire" in rotate_keys(home_path, "--status")
