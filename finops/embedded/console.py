"""What the person at the terminal sees."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import IO, Any

WIDTH = 8
_COLOURS = {
    "postgres": 34,
    "valkey": 31,
    "sandbox": 35,
    "web": 32,
    "worker": 33,
    "router": 92,
    "sender": 93,
    "stream": 95,
    "beat": 36,
    "finops": 1,
}
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
        self._write("".join(f"{prefix} │ {part}\n" for part in self._readable(text.rstrip())))

    def frame(self, rows: list[tuple[str, str]], *, title: str) -> None:
        """Write labelled rows in a box."""
        label = max(len(name) for name, _ in rows)
        body = [printable(f"{name:<{label}}  {value}") for name, value in rows]
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

    def _readable(self, text: str) -> list[str]:
        """Return the lines to show; only a traceback has more than one, and its lines are indented."""
        entry = _json_line(text)
        if entry is None:
            return [printable(text)] if text else []
        level = str(entry.get("level", ""))
        fields = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _UNSHOWN and value)
        event = printable(str(entry.get("event", "")))
        shown = " ".join(part for part in (event, self._paint(printable(fields), 2)) if part)
        if level in _LEVELS:
            shown = f"{self._paint(level, _LEVELS[level])} {shown}"
        traceback = str(entry.get("exc_info") or "")
        return [shown, *(f"  {printable(line)}" for line in traceback.rstrip("\n").split("\n") if traceback)]

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colourful and text else text


def printable(text: str) -> str:
    """Return the text with everything escaped that could steer a terminal, end the line or reorder it.

    What processes log comes from the network in part. Tabs stay.
    """
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode() for char in text
    )


def _json_line(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        return dict(json.loads(text))
    except (ValueError, RecursionError):
        return None
