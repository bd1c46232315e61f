"""Worker processes that a test can kill: `python -m tests.accounts.worker_process` forks one for each line it reads.

The parent imports Django once and never opens a connection. Each child runs the sync queue dry and exits. For each
line the parent writes the child's pid, and its wait status once it has ended.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]


class Workers:
    """The parent process, as the test sees it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.accounts.worker_process"],
                cwd=ROOT,
                env={**environment, "DATABASE_URL": environment["DATABASE_WORKER_URL"]},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def start(self) -> int:
        """Start a worker and return its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write("work\n")
        self._process.stdin.flush()
        return self._read()

    def wait(self) -> int:
        """Wait for the worker's end and return its exit code, negative for a signal."""
        return os.waitstatus_to_exitcode(self._read())

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def main() -> None:
    """Fork a worker for each line on stdin."""
    import django

    django.setup()
    import apps.accounts.tasks  # noqa: F401  (registers the handler)

    for _line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _work()
        _say(pid)
        _pid, status = os.waitpid(pid, 0)
        _say(status)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _work() -> None:
    from apps.jobs.runner import run_next

    code = 1
    try:
        while run_next("sync", worker=f"child-{os.getpid()}"):
            pass
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
