"""A server as a child process that ends when we do."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Literal

from finops.embedded import ports
from finops.embedded.errors import EngineFailed
from finops.embedded.home import Home
from finops.embedded.logs import last_lines, open_log
from finops.embedded.process import Command, GuardedProcess
from finops.embedded.users import EngineUser

Tuning = Literal["dev", "test"]


class Engine(ABC):
    """One server under `home/<name>`, listening on the loopback interface.

    Its port stays the same from start to start, unless somebody else has taken it meanwhile.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    start_seconds: ClassVar[float]

    def __init__(self, home: Home, *, user: EngineUser | None, port: int | None, tuning: Tuning) -> None:
        self.home = home
        self.user = user
        self.port = port or 0
        self.tuning = tuning
        self.binary = self.find_binary()
        self._process: GuardedProcess | None = None

    @property
    def folder(self) -> Path:
        """Return the folder that belongs to the engine's user."""
        return self.home.path / self.name

    def start(self) -> None:
        """Prepare what the server needs, start it and wait until it answers.

        Raises: EngineFailed.
        """
        self.home.folder(self.name)
        self._give(self.folder)
        self._prepare()
        state, entry = self.home.read("state.json"), f"{self.name}_port"
        self.port = self.port or ports.choose(int(state[entry]) if entry in state else None)
        self.home.write("state.json", {**state, entry: str(self.port)})
        command = self._command()
        with open_log(self._log) as log:
            self._process = GuardedProcess(command, output=log, held=self.home.held)
        self._await_ready()

    def stop(self) -> None:
        """Shut down in the server's own way, by force if it takes too long."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def poll(self) -> int | None:
        """Return the exit code when the server is not running."""
        return 0 if self._process is None else self._process.poll()

    @staticmethod
    @abstractmethod
    def find_binary() -> Path:
        """Return the server's binary.

        Raises: UnsupportedPlatform.
        """

    def _prepare(self) -> None:  # noqa: B027  (most need nothing)
        """Make what the server needs before its first start."""

    @abstractmethod
    def _command(self) -> Command:
        """Return what runs the server at its port."""

    @abstractmethod
    def _answers(self) -> bool:
        """Tell whether the server takes connections."""

    @property
    def _log(self) -> Path:
        return self.home.path / "logs" / f"{self.name}.log"

    def _give(self, path: Path) -> None:
        if self.user is not None:
            self.user.owns(path)

    def _environment(self) -> dict[str, str]:
        """Return an engine's environment: nothing of ours, above all no secrets."""
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C", "TZ": "UTC"}

    def _await_ready(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if self.poll() is not None:
                raise EngineFailed(f"{self.title} did not start: {last_lines(self._log)}")
            if self._answers():
                return
            time.sleep(0.02)
        self.stop()
        raise EngineFailed(f"{self.title} was not ready after {self.start_seconds:.0f} s: {last_lines(self._log)}")
