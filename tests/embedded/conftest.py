"""Homes that the engines' user can enter, toy processes, and a look at what is left running."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finops.embedded.process import Command

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home_path() -> Iterator[Path]:
    """A folder under the system's temporary one: pytest's own are closed to everyone but their owner."""
    path = Path(tempfile.mkdtemp(prefix="finops-embedded-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Command]:
    """Build a command that runs a few lines of Python in `tmp_path`."""

    def build(name: str, source: str, **options: object) -> Command:
        return Command(name, [sys.executable, "-c", source], {**os.environ}, tmp_path, **options)  # type: ignore[arg-type]

    return build


def eventually(condition: Callable[[], object], *, seconds: float = 10.0) -> bool:
    """Return whether the condition became true within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def processes_in(folder: Path) -> list[int]:
    """Return the processes that name the folder on their command line or work in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            named = str(folder).encode() in (entry / "cmdline").read_bytes()
            inside = (entry / "cwd").readlink().is_relative_to(folder)
        except OSError:
            continue
        if named or inside:
            found.append(int(entry.name))
    return found
