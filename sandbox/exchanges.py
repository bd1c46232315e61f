"""Remember what each provider received and answered.

DIR/log.jsonl, appended without fsync: a killed process loses nothing that it has written, only a power cut
can. The file is rewritten when it holds twice the bound.
"""

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

BOUND = 20_000


class ExchangeLog:
    """Hold the newest exchanges, in memory and on disk."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "log.jsonl"
        self._entries: deque[dict[str, Any]] = deque(maxlen=BOUND)
        self._lines = 0
        for line in self._path.read_bytes().splitlines() if self._path.exists() else []:
            self._restore(line)
        self.sequence: int = self._entries[-1]["sequence"] if self._entries else 0
        self._rewrite()

    def add(self, entry: dict[str, Any]) -> None:
        """Number and append an exchange."""
        self.sequence += 1
        entry = {"sequence": self.sequence, **entry}
        self._entries.append(entry)
        os.write(self._file, json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        self._lines += 1
        if self._lines >= 2 * BOUND:
            os.close(self._file)
            self._rewrite()

    def entries(self, *, provider: str | None, since: int) -> list[dict[str, Any]]:
        """Return the exchanges of one provider (or all), numbered above `since`, oldest first."""
        return [
            entry
            for entry in self._entries
            if entry["sequence"] > since and (provider is None or entry["provider"] == provider)
        ]

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _restore(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except ValueError:
            return  # Torn by a kill; the log is a record for tests, so the rest stays usable.
        self._entries.append(entry)

    def _rewrite(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text("".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in self._entries))
        fresh.replace(self._path)
        self._lines = len(self._entries)
        self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
