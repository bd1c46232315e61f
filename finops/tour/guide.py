"""What every chapter of the tour walks with: clients, numbered steps, and promises that are checked."""

import sys
import time
from collections.abc import Callable
from typing import Any

import httpx


class TourFailed(Exception):
    """A step did not give what it promises; the text says which."""


class Guide:
    """Speaks as tenant acme, with globex looking over the fence, through the public API alone."""

    def __init__(self, demo: dict[str, Any]) -> None:
        self.demo = demo
        acme, globex = demo["tenants"][:2]
        self.acme, self.globex = self._client(acme["api_key"]), self._client(globex["api_key"])
        self.sandbox = httpx.Client(base_url=demo["sandbox_url"], timeout=10)
        self._step_number = 0

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._step_number += 1
        print(f"\n{self._step_number}. {title}")

    def say(self, text: str) -> None:
        """Tell what a step showed."""
        print(f"   {text}")

    def wait_for(self, probe: Callable[[], Any], what: str, *, seconds: float = 15.0) -> Any:
        """Poll until the probe gives something; show a dot a second."""
        deadline, started = time.monotonic() + seconds, time.monotonic()
        while not (result := probe()):
            if time.monotonic() > deadline:
                raise TourFailed(f"waited {seconds:.0f} s for {what}")
            if sys.stdout.isatty():
                print(f"\r   … {time.monotonic() - started:4.1f} s", end="", flush=True)
            time.sleep(0.25)
        if sys.stdout.isatty():
            print("\r" + " " * 16 + "\r", end="")
        return result

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Return the answer to a GET as acme."""
        answer: dict[str, Any] = self.check(self.acme.get(path, params=params), 200).json()
        return answer

    def check(self, response: httpx.Response, status: int) -> httpx.Response:
        """Return the response; break the tour when it has another status."""
        request = response.request
        self.expect(
            response.status_code == status,
            f"{request.method} {request.url.path} answered {response.status_code}, not {status}: {response.text[:300]}",
        )
        return response

    def expect(self, condition: bool, otherwise: str) -> None:
        """Break the tour when a promise is not kept."""
        if not condition:
            raise TourFailed(otherwise)

    def _client(self, key: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"{self.demo['base_url']}/api/v1", headers=headers, timeout=30)
