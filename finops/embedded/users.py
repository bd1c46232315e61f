"""The unprivileged user that engines run as when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finops.embedded.errors import HomeUnusable

GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True, slots=True)
class EngineUser:
    """A user of this machine to whom an engine drops."""

    name: str
    uid: int
    gid: int

    def owns(self, path: Path) -> None:
        """Give a file or folder to this user."""
        shutil.chown(path, self.uid, self.gid)

    def require_reach(self, paths: Iterable[Path]) -> None:
        """Check that this user can enter every folder on the way to the paths.

        Raises: HomeUnusable, naming the first folder it cannot enter.
        """
        probe: list[str | Path] = [sys.executable, "-I", "-S", GUARD, "probe"]
        result = subprocess.run(
            [
                *probe,
                "--uid",
                str(self.uid),
                "--gid",
                str(self.gid),
                "--",
                *(path.resolve() for path in paths),
            ],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if result.returncode != 0:
            place = result.stdout.strip() or result.stderr.strip()
            raise HomeUnusable(
                f"As root the engines run as the user '{self.name}', who cannot enter {place}: "
                f"move the project and FINOPS_HOME to where everyone may pass (such as /srv or /opt), "
                f"allow it with 'chmod o+x {place}', or run as an ordinary user."
            )


def engine_user() -> EngineUser | None:
    """Return the user to drop to (FINOPS_ENGINE_USER, else nobody), or None when we are not root."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("FINOPS_ENGINE_USER", "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise HomeUnusable(
            f"PostgreSQL refuses to run as root and there is no user '{name}': "
            f"name an existing one in FINOPS_ENGINE_USER, or run as an ordinary user."
        ) from None
    if entry.pw_uid == 0:
        raise HomeUnusable("PostgreSQL refuses to run as root: name an unprivileged user in FINOPS_ENGINE_USER.")
    return EngineUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
