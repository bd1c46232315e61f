"""A platform under fire: what can be killed in it, and what can be broken on the wire."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Self

import httpx

from tests.embedded.test_platform import RunningPlatform

# What is killed, and how often in comparison: part of the command line of its process. Not the venue: an order that it
# swallowed waits for a person, see test_kills.
VICTIMS = {
    " -A finops worker ": 6,
    "manage.py stream_orders": 3,
    " granian ": 4,
    " -A finops beat ": 1,
    "valkey-server": 1,
    "/bin/postgres -D": 1,
}
# What happens to requests for orders and to messages of the stream; for the same reason never a plain 500.
FAULTS = [
    ("drop_response", "POST /v2/orders"),
    ("status:504", "POST /v2/orders"),
    ("malformed", "POST /v2/orders"),
    ("throttle", "POST /v2/orders"),
    ("delay:2500", "POST /v2/orders"),
    ("drop_response", "DELETE /v2/orders"),
    ("status:503", "GET /v2/orders"),
    ("malformed", "GET /v2/account/activities"),
    ("drop_response", "STREAM trade_updates"),
    ("duplicate", "STREAM trade_updates"),
    ("reorder", "STREAM trade_updates"),
    ("malformed", "STREAM trade_updates"),
    ("status:503", "GET /stream"),
]


class Chaos:
    """Kills and breaks, by a seed; `told` is what it did."""

    def __init__(self, platform: RunningPlatform, sandbox_url: str, *, seed: int) -> None:
        self._platform, self._sandbox_url = platform, sandbox_url
        self._random = random.Random(seed)
        self.told: list[str] = []

    def rage(self, *, seconds: float) -> None:
        """Do one thing after the other for so long."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            act: Callable[[], None] = self._random.choice([self._kill, self._break, self._break])
            act()
            time.sleep(self._random.uniform(0.3, 3.0))
        self.calm()

    def calm(self) -> None:
        """Mend the wire."""
        self._control("DELETE", "/faults")

    def _kill(self) -> None:
        (name,) = self._random.choices(list(VICTIMS), weights=list(VICTIMS.values()))
        below = self._platform.descendants()
        found = sorted(pid for pid, line in below.items() if name in f"{line} " and "guard.py" not in line)
        if found:
            # The first is the main process, the others its children.
            pid = self._random.choice(found)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self.told.append(f"killed {name.strip()} {found.index(pid)}")

    def _break(self) -> None:
        kind, match = self._random.choice(FAULTS)
        self._control("POST", "/faults", provider="alpaca", kind=kind, match=match, count=self._random.randint(1, 3))
        self.told.append(f"{kind} {match}")

    def _control(self, method: str, path: str, **body: Any) -> None:
        for _attempt in range(60):
            with suppress(httpx.HTTPError):  # it may have been killed itself
                httpx.request(method, f"{self._sandbox_url}/_control{path}", json=body or None, timeout=5)
                return
            time.sleep(0.5)
        raise AssertionError("the sandbox did not come back")


class Client:
    """A client that does not give up: it asks again with the same key until it has an answer."""

    def __init__(self, base_url: str, secret: str) -> None:
        self.secret = secret
        self._http = httpx.Client(base_url=f"{base_url}/api/v1", headers={"Authorization": f"Bearer {secret}"})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def post(self, path: str, body: Mapping[str, Any], *, key: str = "") -> tuple[httpx.Response, int]:
        """Post until the server has answered for good; return that answer and how many tries it took."""
        headers = {"Idempotency-Key": key} if key else {}
        for attempt in range(1, 600):
            with suppress(httpx.HTTPError):
                answer = self._http.post(path, json=dict(body), headers=headers, timeout=20)
                is_busy = answer.status_code == 409 and answer.json()["code"] == "idempotency_in_flight"
                if answer.status_code < 500 and answer.status_code != 429 and not is_busy:
                    return answer, attempt
            time.sleep(0.2)
        raise AssertionError(f"no answer to {path}")

    def put(self, path: str, body: Mapping[str, Any]) -> None:
        """Put, while all is well."""
        answer = self._http.put(path, json=dict(body), timeout=20)
        assert answer.status_code == 200, answer.text

    def get(self, path: str, **params: Any) -> Any:
        """Get until there is an answer."""
        for _attempt in range(300):
            with suppress(httpx.HTTPError):
                answer = self._http.get(path, params=params, timeout=20)
                if answer.status_code == 200:
                    return answer.json()
            time.sleep(0.2)
        raise AssertionError(f"no answer from {path}")

    def all(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield a list's rows, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, limit=200, **params, **({"cursor": cursor} if cursor else {}))
            yield from page["data"]
            cursor = page["next_cursor"]
