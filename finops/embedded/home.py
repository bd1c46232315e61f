"""The folder that holds all state of one embedded installation."""

from __future__ import annotations

import fcntl
import fnmatch
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from finops.embedded.errors import HomeUnusable

MINIMUM_FREE_BYTES = 512 * 1024 * 1024
# Its presence says that the folder is ours.
MARKER = "finops-home"
LOCKS = ("supervisor.lock", "processes.lock")
# All that finops ever writes into a home, but for marker and locks; patterns are those of fnmatch.
CONTENT = (
    "logs",
    "mail",
    "postgres",
    "valkey",
    "sandbox",
    "metrics",
    "keys",
    "secrets.json",
    "state.json",
    "migrations.json",
    "schema.json",
    "demo.json",
    "demo.json.tmp",
    ".*.json.[0-9]*",
)
# A killed supervisor's guards need this long at most to end what it had started.
LEFTOVERS_SECONDS = 60.0


class Home:
    """State, secrets and locks under FINOPS_HOME."""

    def __init__(self, path: Path, *, minimum_free_bytes: int = MINIMUM_FREE_BYTES) -> None:
        self.path = path.absolute()
        self.minimum_free_bytes = minimum_free_bytes
        self._locks: list[int] = []

    def open(self) -> None:
        """Create the folder or take an empty one, check it and lock it for this process.

        Raises: HomeUnusable, without having touched a folder that holds anything but a home.
        """
        try:
            # Root's engines run as another user, who needs to pass, but not to list.
            self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
            self._claim()
            if os.geteuid() == 0:
                self.path.chmod(self.path.stat().st_mode | 0o011)
            self.folder("logs")
            self.folder("mail")
            self._take_locks()
        except OSError as error:
            raise HomeUnusable(
                f"Cannot write to {self.path} ({error.strerror}): make it writable, "
                f"or set FINOPS_HOME to another folder."
            ) from error
        self._require_space()

    def close(self) -> None:
        """Release the locks."""
        while self._locks:
            os.close(self._locks.pop())

    @property
    def is_claimed(self) -> bool:
        """Return whether the folder is marked as ours."""
        return (self.path / MARKER).is_file()

    @property
    def held(self) -> tuple[int, ...]:
        """Return the lock that every child's guard keeps until its command is gone."""
        return tuple(self._locks[1:])

    def folder(self, name: str) -> Path:
        """Return a folder inside, created private."""
        assert is_content(name), f"{name} is missing from what reset deletes"
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def emptied_folder(self, name: str) -> Path:
        """Return a folder inside, without the files of an earlier run."""
        folder = self.folder(name)
        for file in folder.iterdir():
            file.unlink()
        return folder

    def secret(self, name: str, *, nbytes: int = 24) -> str:
        """Return a random URL-safe secret, generated once and kept in secrets.json."""
        return self.remember_secret(name, lambda: secrets.token_urlsafe(nbytes))

    def remember_secret(self, name: str, make: Callable[[], str]) -> str:
        """Return the stored secret, made once by `make` if there is none."""
        stored = self.read("secrets.json")
        if name not in stored:
            stored[name] = make()
            self.write("secrets.json", stored)
        return stored[name]

    def key_file(self, name: str, make: Callable[[], str]) -> Path:
        """Return the file of a ring of keys, made once by `make`; an older home has the ring among its secrets."""
        file = self.folder("keys") / name
        if not file.exists():
            stored = self.read("secrets.json")
            replace_file(file, stored.pop(name, "") or make())
            self.write("secrets.json", stored)
        return file

    def read(self, name: str) -> dict[str, str]:
        """Return a JSON file of texts, empty when it does not exist.

        Raises: HomeUnusable when it was damaged.
        """
        try:
            return dict(json.loads((self.path / name).read_text()))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise HomeUnusable(f"{self.path / name} is damaged ({error}): restore it, or run 'make reset'.") from error

    def write(self, name: str, content: dict[str, str]) -> None:
        """Replace a JSON file atomically; only its owner can read it."""
        assert is_content(name), f"{name} is missing from what reset deletes"
        replace_file(self.path / name, json.dumps(content, indent=2, sort_keys=True))

    def _claim(self) -> None:
        if self.is_claimed:
            return
        names = {entry.name for entry in self.path.iterdir()}
        # Homes from before the marker are known by what a started one holds, and by holding nothing else.
        is_unmarked_home = names >= {*LOCKS, "secrets.json"} and all(is_content(name) for name in names - {*LOCKS})
        if names and not is_unmarked_home:
            raise HomeUnusable(
                f"{self.path} holds files that are not finops's own: set FINOPS_HOME to a new or an empty folder."
            )
        (self.path / MARKER).write_text("The state of one finops; 'make reset' deletes what finops made in here.\n")

    def _take_locks(self) -> None:
        """Lock out a second supervisor at once, and wait for what a killed one left."""
        supervisor = self._open_lock(LOCKS[0])
        if not _lock(supervisor, seconds=0):
            raise HomeUnusable(
                f"Another finops is running on {self.path}: stop it first, or set FINOPS_HOME to another folder."
            )
        if not _lock(self._open_lock(LOCKS[1]), seconds=LEFTOVERS_SECONDS):
            raise HomeUnusable(
                f"Processes of an earlier run on {self.path} have not ended: end them, then start again."
            )

    def _open_lock(self, name: str) -> int:
        descriptor = os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600)
        self._locks.append(descriptor)
        return descriptor

    def _require_space(self) -> None:
        free = shutil.disk_usage(self.path).free
        if free < self.minimum_free_bytes:
            needed = self.minimum_free_bytes // 1024**2
            raise HomeUnusable(
                f"The disk under {self.path} has {free // 1024**2} MB free and finops needs {needed} MB: "
                f"make room, or set FINOPS_HOME to another disk."
            )


def replace_file(target: Path, text: str) -> None:
    """Replace a file atomically; only its owner can read it."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)


def is_content(name: str) -> bool:
    """Return whether an entry of a home is one that finops makes."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in CONTENT)


def _lock(descriptor: int, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
