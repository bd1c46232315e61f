"""Workers that a test can kill: `python -m tests.orders.storm.worker_process` forks one for each line it reads.

The parent imports Django once and never opens a connection. A child logs in to the database that its line begins with,
does what the line says and exits: "work" runs the orders' queue dry, "pull <tenant> <risk account>" reads an account
from its venue. For each line the parent writes the child's pid, and its wait status once it has ended.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[3]


class Workers:
    """The parent process, as the test sees it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log, self.database = log, ""
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.orders.storm.worker_process"],
                cwd=ROOT,
                env=dict(environment),
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

    def start(self, line: str = "work") -> int:
        """Start a worker and return its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self.database} {line}\n")
        self._process.stdin.flush()
        return self._read()

    def wait(self) -> int:
        """Wait for the worker's end and return its exit code, negative for a signal."""
        return os.waitstatus_to_exitcode(self._read())

    def kill(self, pid: int) -> None:
        """Kill the worker as a crash of the machine would."""
        os.kill(pid, signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL, "it had ended by itself"

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())


def main() -> None:
    """Fork a worker for each line on stdin."""
    import django

    django.setup()
    import apps.orders.tasks  # noqa: F401  (registers the handlers)

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            database, *words = line.split()
            _work(database, words)
        _say(pid)
        _pid, status = os.waitpid(pid, 0)
        _say(status)


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _work(database: str, words: list[str]) -> None:
    from apps.jobs.runner import run_next
    from apps.orders.tasks import pull_one
    from tests.databases import log_in

    code = 1
    try:
        log_in("worker", database)
        match words:
            case ["pull", tenant_id, risk_account_id]:
                pull_one(tenant_id, risk_account_id)
            case _:
                while run_next("orders", worker=f"child-{os.getpid()}"):
                    pass
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
