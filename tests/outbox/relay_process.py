"""Relays that a test can kill: `python -m tests.outbox.relay_process <database>` relays until its stdin is closed."""

import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]


class RelayProcess:
    """A worker that does nothing but relay."""

    def __init__(self, database: str, environment: Mapping[str, str]) -> None:
        self._database, self._environment = database, dict(environment)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it and wait until it is at work."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.outbox.relay_process", self._database],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._process.kill()
        self._process.communicate(timeout=20)

    def end(self) -> None:
        """Let it finish what it is doing."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0

    def pause(self) -> None:
        """Let it stand still."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a paused one go on."""
        self._process.send_signal(signal.SIGCONT)


def main() -> None:
    """Relay until told to end."""
    import django

    django.setup()
    from apps.outbox.tasks import relay
    from tests.databases import log_in

    log_in("worker", sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        relay()


if __name__ == "__main__":
    main()
