"""Hold the sandbox's whole state: clock, faults, log and the providers' twins, rebuilt from the journal."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.clock import Timeline
from sandbox.exchanges import ExchangeLog
from sandbox.faults import Fault, FaultBook
from sandbox.journal import Command, Journal
from sandbox.providers.base import Provider


class World:
    """Be the one owner of state; every change goes through `commit`."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: int | None,
        requires_client_certificate: bool,
        providers: Mapping[str, Callable[["World"], Provider]],
    ) -> None:
        """Replay the journal in `directory`.

        Raises:
            UnableToOpenState: see `Journal`.
        """
        self.requires_client_certificate = requires_client_certificate
        self.journal = Journal(directory, seed)
        self.seed = self.journal.seed
        self.timeline = Timeline(self.journal.genesis)
        self.faults = FaultBook(self.seed)
        self.log = ExchangeLog(directory)
        self.providers = {name: build(self) for name, build in providers.items()}
        for command in self.journal.replayed:
            self._apply(command)

    def now(self) -> float:
        """Return the virtual instant."""
        return self.timeline.virtual(self.journal.now())

    def commit(self, provider: str, op: str, args: dict[str, Any]) -> Command:
        """Journal a command, apply it, and tell its twin; the frame's own (the clock's) concern every twin."""
        command = self.journal.append(provider, op, args)
        self._apply(command)
        for name, twin in self.providers.items():
            if provider in ("", name):
                twin.wake()
        return command

    def take_fault(self, provider: str, line: str) -> Fault | None:
        """Return the fault that acts on this exchange and count it down durably."""
        fault = self.faults.pick(provider, line)
        if fault is not None and fault.remaining is not None:
            self.commit("", "fault_spent", {"id": fault.id})
        return fault

    def close(self) -> None:
        """Release the files."""
        self.log.close()
        self.journal.close()

    def _apply(self, command: Command) -> None:
        if command.provider:
            self.providers[command.provider].apply(command, virtual_at=self.timeline.virtual(command.at))
            return
        args = command.args
        match command.op:
            case "advance":
                self.timeline.advance(command.at, args["seconds"])
            case "clock":
                self.timeline.set_running(command.at, args["running"])
            case "fault":
                self.faults.add(**args)
            case "fault_spent":
                self.faults.spend(args["id"])
            case "faults_cleared":
                self.faults.clear(args["provider"])
            case "genesis":
                pass
            case unknown:
                raise ValueError(f"the journal holds an unknown command {unknown!r}")
