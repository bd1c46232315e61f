"""A real Celery worker as a subprocess, in a process group of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """`celery worker`, by default with the test kinds and two child processes; its log goes to `log`."""

    def __init__(
        self,
        environment: Mapping[str, str],
        log: Path,
        *,
        app: str = "tests.jobs.worker_app",
        concurrency: int = 2,
        pool: str = "prefork",
    ) -> None:
        self.log = log
        self._app = app
        self._environment = {**environment, "DATABASE_URL": environment["DATABASE_WORKER_URL"]}
        self._options = ["--pool", pool, "--concurrency", str(concurrency)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        options = [*self._options, "--without-gossip", "--without-mingle"]
        command = [sys.executable, "-m", "celery", "-A", self._app, "worker", *options]
        with self.log.open("ab") as output:
            begun = output.tell()
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )
        try:
            wait_until(lambda: self._is_ready(begun), what="the worker's start", seconds=30)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log.read_text()[-3000:]}") from error

    def _is_ready(self, begun: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "the worker has ended"
        return " ready." in self.log.read_text()[begun:]

    def has_ended(self) -> bool:
        """Tell whether the worker has ended by itself."""
        assert self._process is not None
        return self._process.poll() is not None

    def kill(self) -> None:
        """Kill the worker and its children with SIGKILL, as a crash of the machine would."""
        if self._process is not None:
            process, self._process = self._process, None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    def children(self) -> list[int]:
        """Return the process ids of a prefork worker's children."""
        assert self._process is not None
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def ask_to_end(self) -> None:
        """Send SIGTERM to the main process, as a supervisor does."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def terminate(self) -> int:
        """Have the worker end, and return its exit code."""
        self.ask_to_end()
        return self.exit_code()

    def exit_code(self, *, seconds: float = 20) -> int:
        """Wait until the worker has ended, for as long as a supervisor would, and return its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout=seconds)
        self._process = None
        return code
