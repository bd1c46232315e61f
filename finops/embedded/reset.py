"""`make reset`: forget the embedded installation."""

from __future__ import annotations

import os
import shutil

from finops.embedded.environment import PROJECT, home_path, read_dotenv
from finops.embedded.errors import EmbeddedError, HomeUnusable
from finops.embedded.home import Home


def reset() -> int:
    """Delete the home's content; return the exit code."""
    path = home_path({**read_dotenv(PROJECT / ".env"), **os.environ})
    if not path.exists():
        print(f"There is nothing at {path}.")
        return 0
    if any(path.iterdir()) and not (path / "supervisor.lock").exists():
        print(f"{path} holds files but no finops: delete them yourself, or correct FINOPS_HOME.")
        return 1
    home = Home(path, minimum_free_bytes=0)
    try:
        home.open()
        _delete_content(home)
    except EmbeddedError as error:
        print(error)
        return 1
    finally:
        home.close()
    print(f"Deleted the data in {path}; 'make run' starts with new data.")
    return 0


def _delete_content(home: Home) -> None:
    # The lock files stay: a starter that waits for one holds the same file as we do.
    for entry in home.path.iterdir():
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.suffix != ".lock":
                entry.unlink()
        except OSError as error:
            raise HomeUnusable(f"Cannot delete {entry} ({error.strerror}): delete it yourself.") from error
