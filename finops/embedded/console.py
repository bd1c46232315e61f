"""What the person at the terminal sees."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import IO, Any

WIDTH = 8
_COLOURS = {"postgres": 34, "valkey": 31, "sandbox": 35, "web": 32, "worker": 33, "beat": 36, "finops": 1}
_LEVELS = {"ERROR": 31, "CRITICAL": 31, "WARNING": 33}
# What every JSON line of the platform carries and a terminal does not need.
_UNSHOWN = {"event", "level", "at", "logger", "trace_id", "exc_info"}


class Console:
    """Prefixed lines, coloured only on a terminal."""

    def __init__(self, stream: IO[str] = sys.stdout) -> None:
        self.stream = stream
        self.colourful = stream.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str) -> None:
        """Write a line of the supervisor's own."""
        self.line("finops", text)

    def line(self, name: str, text: str) -> None:
        """Write a line of a process; a JSON log line becomes level, event and fields, an empty one nothing."""
        prefix = self._paint(f"{name:<{WIDTH}}", _COLOURS.get(name, 37))
        parts = self._readable(text.rstrip()).splitlines()
        self._write("".join(f"{prefix} │ {part}\n" for part in parts))

    def frame(self, rows: list[tuple[str, str]], *, title: str) -> None:
        """Write labelled rows in a box."""
        label = max(len(name) for name, _ in rows)
        body = [f"{name:<{label}}  {value}" for name, value in rows]
        width = max(len(title), *(len(line) for line in body))
        rows_shown = "".join(f"│ {line:<{width}} │\n" for line in body)
        bar = "─" * (width + 2)
        self._write(f"\n┌{bar}┐\n│ {title:<{width}} │\n├{bar}┤\n{rows_shown}└{bar}┘\n\n")

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            # The terminal is gone or nobody reads on; an orderly stop must not fail for that.
            self.stream = io.StringIO()

    def _readable(self, text: str) -> str:
        if not text.startswith("{"):
            return text
        try:
            entry: dict[str, Any] = json.loads(text)
        except ValueError:
            return text
        level = str(entry.get("level", ""))
        fields = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _UNSHOWN and value)
        shown = " ".join(part for part in (str(entry.get("event", "")), self._paint(fields, 2)) if part)
        if level in _LEVELS:
            shown = f"{self._paint(level, _LEVELS[level])} {shown}"
        return f"{shown}\n{entry['exc_info']}" if entry.get("exc_info") else shown

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colourful and text else text
