"""Keep the commands that made the sandbox's state, in the order in which they were given.

DIR/journal.jsonl: one JSON object a line, `{"n", "at", "provider", "op", "args"}`, fsynced before it takes
effect. The first line is the genesis with the seed. A torn last line (a kill in the middle of a write) is cut
off at the next start; damage anywhere else refuses to start: guessing would make a state that never was.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA_VERSION = 1


class UnableToOpenState(Exception):
    """Raised with one sentence for the person who starts the sandbox."""


class Command(NamedTuple):
    """Carry one journaled command. `provider` is "" for the frame's own; `at` is a real unix instant."""

    n: int
    at: float
    provider: str
    op: str
    args: dict[str, Any]


class Journal:
    """Append commands durably and hand back what was there at the start."""

    def __init__(self, directory: Path, seed: int | None) -> None:
        """Open or create the journal under an exclusive lock.

        Raises:
            UnableToOpenState: another process has it, it is damaged, or it was made from another seed.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnableToOpenState(f"Another sandbox is using the state in {directory}.") from error
        except OSError as error:
            raise UnableToOpenState(f"The state directory {directory} cannot be used: {error.strerror}.") from error
        self._path = directory / "journal.jsonl"
        self.replayed = self._read()
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._last_at = self.replayed[-1].at if self.replayed else 0.0
        self.count = len(self.replayed)
        if not self.replayed:
            self.replayed = [self.append("", "genesis", {"seed": seed or 0, "version": SCHEMA_VERSION})]
        self.seed = int(self.replayed[0].args["seed"])
        if seed is not None and seed != self.seed:
            raise UnableToOpenState(f"The state in {directory} was made with --seed {self.seed}, not {seed}.")

    @property
    def genesis(self) -> float:
        """Return the real instant of the first start."""
        return self.replayed[0].at

    def now(self) -> float:
        """Return the real instant, never before the newest command's, should the clock be set back."""
        return max(time.time(), self._last_at)

    def append(self, provider: str, op: str, args: dict[str, Any]) -> Command:
        """Write a command to disk and return it."""
        command = Command(self.count + 1, self.now(), provider, op, args)
        line = json.dumps(command._asdict(), separators=(",", ":")).encode() + b"\n"
        size = os.fstat(self._file).st_size
        if os.write(self._file, line) != len(line):
            os.ftruncate(self._file, size)
            raise OSError(ENOSPC, "the journal's disk is full")
        os.fsync(self._file)
        self.count, self._last_at = command.n, command.at
        return command

    def close(self) -> None:
        """Close the file and release the lock."""
        os.close(self._file)
        os.close(self._lock)

    def _read(self) -> list[Command]:
        if not self._path.exists():
            return []
        raw = self._path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if len(whole) < len(raw):
            os.truncate(self._path, len(whole))
        return list(self._parse(whole))

    def _parse(self, raw: bytes) -> Iterator[Command]:
        for number, line in enumerate(raw.splitlines(), start=1):
            try:
                command = Command(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise UnableToOpenState(f"Line {number} of {self._path} is damaged.") from error
            if command.n != number:
                raise UnableToOpenState(f"Line {number} of {self._path} is out of sequence.")
            yield command
