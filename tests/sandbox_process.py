"""Runs the provider sandbox as a process and speaks to its control endpoints."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[1]
# Importing the sandbox takes ten times as long as starting it: it is imported once, in the process that is forked.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["sandbox.__main__", __name__])


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class SandboxProcess:
    """A sandbox on a free port with its state under `folder`."""

    def __init__(self, folder: Path, *, seed: int = 7) -> None:
        self.folder, self.seed, self.port = folder, seed, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: BaseProcess | None = None
        # It speaks plain HTTP: reading all certificate authorities would take ten times as long as a request.
        self._client = httpx.Client(base_url=self.url, timeout=10, verify=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        self._client.close()

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--state", str(self.folder), "--seed", str(self.seed)]
        self._process = FORKS.Process(target=_serve, args=[arguments])
        self._process.start()
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            try:
                self._client.get("/_control/health").raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.01)
        raise AssertionError("the sandbox did not start")

    def stop(self, *, kill: bool = False) -> None:
        if self._process is not None:
            self.end(signal.SIGKILL if kill else signal.SIGTERM)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end and return the exit code."""
        process, self._process = self._process, None
        assert process is not None
        assert process.pid is not None
        os.kill(process.pid, number)
        process.join(10)
        code = process.exitcode
        assert code is not None, "the sandbox did not end"
        process.close()
        return code

    def control(self, method: str, path: str, **body: Any) -> Any:
        """Call a control endpoint and return its answer."""
        response = self._client.request(method, f"/_control{path}", json=body or None)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def fault(self, kind: str, *, provider: str = "teller", **options: Any) -> None:
        """Inject a fault; see the sandbox's documentation for kinds and options (rate, count, match)."""
        self.control("POST", "/faults", provider=provider, kind=kind, **options)

    def clear_faults(self) -> None:
        self.control("DELETE", "/faults")

    def advance(self, seconds: float) -> None:
        self.control("POST", "/advance", seconds=seconds)

    def log(self, provider: str = "teller") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._client.get("/_control/log", params={"provider": provider}).json()["data"]
        return rows

    def credentials(self, label: str) -> dict[str, Any]:
        """Return a customer's credentials at each provider."""
        found: dict[str, Any] = self._client.get("/_control/credentials", params={"label": label}).json()
        return found

    def alpaca_state(self, key_id: str) -> dict[str, Any]:
        """Return the truth about a paper account: account, positions, orders and activities, oldest first."""
        state: dict[str, Any] = self._client.get("/_control/alpaca/state", params={"key_id": key_id}).json()
        return state

    def alpaca_listeners(self, key_id: str) -> int:
        """Count the connections of a key that listen to the stream of trade updates."""
        count = self._client.get("/_control/alpaca/streams", params={"key_id": key_id}).json()
        return int(count["listening"])

    def cut_alpaca_streams(self, key_id: str) -> int:
        """Break off a key's connections to the stream; return how many there were."""
        return int(self._client.delete("/_control/alpaca/streams", params={"key_id": key_id}).json()["cut"])

    def teller_state(self, token: str) -> dict[str, Any]:
        """Return the truth about an enrolment: accounts, balances, transactions as the wire shows them."""
        state: dict[str, Any] = self._client.get("/_control/teller/state", params={"token": token}).json()
        return state


def _serve(arguments: list[str]) -> None:
    from sandbox.__main__ import main

    with Path(os.devnull).open("w") as sys.stdout:
        sys.exit(main(arguments))
