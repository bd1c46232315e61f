"""`python -m finops manage`: manage.py with the environment of the running embedded platform."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from finops.embedded.engines import engine_urls
from finops.embedded.environment import (
    PROJECT,
    for_owner,
    for_web,
    home_path,
    platform_environment,
    read_dotenv,
)
from finops.embedded.errors import EmbeddedError
from finops.embedded.home import Home

AS_OWNER = {"migrate", "dbshell"}


def manage(arguments: Sequence[str]) -> int:
    """Run manage.py as finops_web (as the owner for `migrate` and `dbshell`); return its exit code."""
    try:
        environment = running_environment({**read_dotenv(PROJECT / ".env"), **os.environ})
    except EmbeddedError as error:
        print(error)
        return 1
    as_owner = bool(arguments) and arguments[0] in AS_OWNER
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=for_owner(environment) if as_owner else for_web(environment),
        cwd=PROJECT,
        check=False,
    ).returncode


def running_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the platform that runs on FINOPS_HOME.

    Raises: EmbeddedError when there is none.
    """
    home = Home(home_path(caller))
    if not (home.path / "state.json").exists():
        raise EmbeddedError(f"Nothing runs on {home.path}: start it with 'make run' first.")
    return platform_environment({**engine_urls(home), **caller}, home)
