"""Keeps a list of processes running: shows their output, restarts what dies, ends all in order."""

from __future__ import annotations

import ctypes
import os
import random
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, NoReturn

from finops.embedded.console import Console
from finops.embedded.guard import PR_SET_PDEATHSIG
from finops.embedded.process import Command, GuardedProcess

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
# A process that lived this long is well again: its next death starts from the first delay.
HEALTHY_SECONDS = 20.0


@dataclass(slots=True)
class Restarts:
    """When to start again after a death: exponential backoff with jitter."""

    attempts: int = 0
    due: float | None = None
    started: float = field(default_factory=time.monotonic)

    def schedule(self) -> float:
        """Plan the next start and return the delay in seconds."""
        if time.monotonic() - self.started > HEALTHY_SECONDS:
            self.attempts = 0
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0**self.attempts) * random.uniform(0.5, 1.0)  # noqa: S311
        self.attempts += 1
        self.due = time.monotonic() + delay
        return delay

    def take(self) -> bool:
        """Return whether the planned start is due, and count it as done."""
        if self.due is None or time.monotonic() < self.due:
            return False
        self.due, self.started = None, time.monotonic()
        return True


class Supervisor:
    """Runs commands under guards in one thread; `tick` does all the work and returns soon."""

    def __init__(self, console: Console, *, held: Sequence[int] = ()) -> None:
        self.console = console
        self.held = held
        self._selector = selectors.DefaultSelector()
        self._running: dict[str, GuardedProcess] = {}
        self._commands: dict[str, Command] = {}
        self._restarts: dict[str, Restarts] = {}
        self._partial: dict[str, bytes] = {}

    def start(self, command: Command) -> None:
        """Start a command that is meant to stay."""
        self._commands[command.name] = command
        self._restarts[command.name] = Restarts()
        self._launch(command)

    def run_to_end(self, command: Command) -> int:
        """Run a command that is meant to end, serving the others meanwhile; return its exit code."""
        process = self._launch(command)
        while (code := process.poll()) is None:
            self.tick(0.05)
        self._drain(command.name, process)
        del self._running[command.name]
        return code

    def tick(self, seconds: float) -> None:
        """Show output for up to so many seconds, then look after deaths and due restarts."""
        self._pump(seconds)
        for name, command in self._commands.items():
            process = self._running.get(name)
            if process is not None and (code := process.poll()) is not None:
                self._drain(name, process)
                del self._running[name]
                delay = self._restarts[name].schedule()
                self.console.line(name, f"ended with {_meaning(code)}, restarting in {delay:.1f} s")
            if self._restarts[name].take():
                self._launch(command)

    def stop(self) -> None:
        """End everything, the last started first, each within its grace."""
        for name in reversed(list(self._running)):
            process = self._running.pop(name)
            self.console.line(name, "stopping")
            # Its output is shown while it ends, or it could block on a full pipe.
            process.request_stop()
            deadline = time.monotonic() + process.command.grace + 1
            while process.poll() is None and time.monotonic() < deadline:
                self._pump(0.05)
            process.stop()
            self._drain(name, process)
        self._selector.close()

    def _launch(self, command: Command) -> GuardedProcess:
        process = GuardedProcess(command, output=subprocess.PIPE, held=self.held)
        self._running[command.name] = process
        if process.output is not None:
            os.set_blocking(process.output.fileno(), False)
            self._selector.register(process.output, selectors.EVENT_READ, (command.name, process.output))
        return process

    def _pump(self, seconds: float) -> None:
        """Show what arrives within so many seconds."""
        for key, _ in self._selector.select(seconds):
            name, output = key.data
            self._show(name, output)

    def _show(self, name: str, output: IO[bytes]) -> bool:
        """Show what has arrived; return whether there may be more."""
        data = output.read(65536)
        if data is None:
            return False
        *lines, rest = (self._partial.pop(name, b"") + data).split(b"\n")
        if data:
            self._partial[name] = rest
        elif rest:
            lines.append(rest)
        for line in lines:
            self.console.line(name, line.decode(errors="replace"))
        if not data:
            self._selector.unregister(output)
            output.close()
        return bool(data)

    def _drain(self, name: str, process: GuardedProcess) -> None:
        """Show the rest of the output of an ended process; whoever else still holds it is not waited for."""
        output = process.output
        while output is not None and not output.closed and self._show(name, output):
            pass
        if output is not None and not output.closed:
            self._selector.unregister(output)
            output.close()


def interrupt_on_signals() -> None:
    """Let SIGTERM and the loss of the terminal end us the way Ctrl-C does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)


def follow_parent() -> None:
    """End with the process that started us: a killed `make` passes nothing on. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def ignore_signals() -> None:
    """Finish an orderly stop, which is bounded in time, without being interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _meaning(code: int) -> str:
    if code < 0 or code > 128:
        number = -code if code < 0 else code - 128
        try:
            return signal.Signals(number).name
        except ValueError:
            return f"signal {number}"
    return f"exit code {code}"
