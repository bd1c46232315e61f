"""Child processes that end when we do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from finops.embedded.users import EngineUser

GUARD = Path(__file__).with_name("guard.py")
# What the guard itself may take on top of the command's own grace.
GUARD_MARGIN = 12.0


@dataclass(frozen=True, slots=True)
class Command:
    """What to run and how to end it; `grace` is the seconds between the stop signal and SIGKILL."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    user: EngineUser | None = None


class GuardedProcess:
    """One command under its guard, in a session of its own."""

    def __init__(self, command: Command, *, output: IO[bytes] | int, held: Sequence[int] = ()) -> None:
        """Start it; `held` are lock descriptors that stay open until nothing of the command is left."""
        self.command = command
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD), "run", *_options(command), "--", *command.arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(command.environment),
            cwd=command.cwd,
            start_new_session=True,
            pass_fds=tuple(held),
            bufsize=0,
        )

    @property
    def pid(self) -> int:
        """Return the guard's process id, which is also its session and process group."""
        return self._process.pid

    @property
    def output(self) -> IO[bytes] | None:
        """Return the pipe with the command's output if one was asked for."""
        return self._process.stdout

    def poll(self) -> int | None:
        """Return the exit code once the command and all of its descendants have ended."""
        code = self._process.poll()
        if code is not None:
            self._finish(code)
        return code

    def request_stop(self) -> None:
        """Tell the guard to end the command, without waiting for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def stop(self) -> int:
        """End the command within its grace, by force after that, and return its exit code."""
        self.request_stop()
        try:
            code = self._process.wait(self.command.grace + GUARD_MARGIN)
        except subprocess.TimeoutExpired:
            self._kill_group()
            code = self._process.wait()
        self._finish(code)
        return code

    def _finish(self, code: int) -> None:
        self.request_stop()
        if code < 0:
            # The guard itself was killed, so nobody swept behind it.
            self._kill_group()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def _options(command: Command) -> list[str]:
    options = ["--stop-signal", str(int(command.stop_signal)), "--grace", str(command.grace)]
    if command.user is not None:
        options += ["--uid", str(command.user.uid), "--gid", str(command.user.gid)]
    return options
