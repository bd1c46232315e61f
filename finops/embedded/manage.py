"""`python -m finops manage`: manage.py with the environment of the running embedded platform."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from finops.embedded.engines import engine_urls
from finops.embedded.environment import PROJECT, home_path, platform_environment, read_dotenv
from finops.embedded.errors import EmbeddedError
from finops.embedded.home import Home


def manage(arguments: Sequence[str]) -> int:
    """Run manage.py, which chooses the login that the command needs; return its exit code."""
    try:
        environment = running_environment({**read_dotenv(PROJECT / ".env"), **os.environ})
    except EmbeddedError as error:
        print(error)
        return 1
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=environment, cwd=PROJECT, check=False).returncode


def running_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the platform that runs on FINOPS_HOME.

    Raises: EmbeddedError when there is none.
    """
    home = Home(home_path(caller))
    if not (home.path / "state.json").exists():
        raise EmbeddedError(f"Nothing runs on {home.path}: start it with 'make run' first.")
    return platform_environment({**engine_urls(home), **caller}, home)
