"""`make reset`: forget the embedded installation."""

from __future__ import annotations

import os
import shutil

from finops.embedded.environment import PROJECT, home_path, read_dotenv
from finops.embedded.errors import EmbeddedError, HomeUnusable
from finops.embedded.home import LOCKS, MARKER, Home, is_content


def reset() -> int:
    """Delete what finops made in its home, and nothing else; return the exit code."""
    path = home_path({**read_dotenv(PROJECT / ".env"), **os.environ})
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        print(f"There is nothing at {path}.")
        return 0
    home = Home(path, minimum_free_bytes=0)
    try:
        home.open()
        left = _delete_content(home)
    except EmbeddedError as error:
        print(error)
        return 1
    finally:
        home.close()
    print(f"Deleted the data in {path}; 'make run' starts with new data.")
    if left:
        print(f"Left alone, since finops did not make it: {', '.join(left)}.")
    return 0


def _delete_content(home: Home) -> list[str]:
    """Delete and return the names of what is not ours.

    Marker and locks stay: a starter that waits for a lock holds the same file as we do.
    """
    left = []
    for entry in sorted(home.path.iterdir()):
        try:
            if not is_content(entry.name):
                left.append(entry.name)
            elif entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as error:
            raise HomeUnusable(f"Cannot delete {entry} ({error.strerror}): delete it yourself.") from error
    return [name for name in left if name not in (MARKER, *LOCKS)]
