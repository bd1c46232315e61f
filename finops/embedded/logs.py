"""Log files of the engines."""

from __future__ import annotations

from pathlib import Path
from typing import IO

LARGEST_BYTES = 10 * 1024 * 1024


def open_log(path: Path) -> IO[bytes]:
    """Open a log to append to; one that has grown large is kept once beside it."""
    if path.exists() and path.stat().st_size > LARGEST_BYTES:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab", buffering=0)


def last_lines(path: Path, *, count: int = 4) -> str:
    """Return the end of a log on one line."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").splitlines()
    return " | ".join(line.strip() for line in lines[-count:] if line.strip()) or "its log is empty"
