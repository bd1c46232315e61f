"""The whole platform under its supervisor: it survives deaths, leaves no orphan, resumes, and ends in order."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from finops.embedded.home import LOCKS, MARKER, is_content
from finops.embedded.ports import choose
from tests.embedded.conftest import PROJECT, eventually, is_alive
from tests.embedded.test_run import environment_of

pytestmark = pytest.mark.no_database

READY = "finops is ready."
CALLED = 'finops_provider_calls_total{operation="accounts.list",outcome="ok",provider="teller"}'


class RunningPlatform:
    """One `python -m finops run` and all that it says."""

    def __init__(self, home: Path, *, port: int, sandbox_port: int) -> None:
        ports = {"FINOPS_PORT": str(port), "FINOPS_SANDBOX_PORT": str(sandbox_port)}
        self.port = port
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "finops", "run"],
            env=environment_of(home, **ports),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.said.extend(output)

    def says(self, text: str, *, seconds: float = 90.0) -> bool:
        """Return whether the text came up within the time."""
        return eventually(
            lambda: any(text in line for line in self.said) or self.process.poll() is not None, seconds=seconds
        ) and any(text in line for line in self.said)

    def descendants(self) -> dict[int, str]:
        """Return the command line of every process below the supervisor."""
        below: dict[int, str] = {}
        parents = {self.process.pid}
        while parents:
            parents = {pid for pid, parent in _parents().items() if parent in parents}
            below |= {pid: _command_line(pid) for pid in parents}
        return below

    def main_process_of(self, name: str) -> int:
        """Return the process directly below celery's guard of this kind, 0 if there is none now."""
        below = self.descendants()
        guards = {pid for pid, line in below.items() if "guard.py" in line and f" --hostname {name}@" in line}
        return next((pid for pid, parent in _parents().items() if parent in guards), 0)

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join()
        return code


@contextlib.contextmanager
def running(home: Path, *, port: int, sandbox_port: int) -> Iterator[RunningPlatform]:
    platform = RunningPlatform(home, port=port, sandbox_port=sandbox_port)
    try:
        assert platform.says(READY), "".join(platform.said)
        yield platform
    finally:
        if platform.process.poll() is None:
            platform.end(signal.SIGTERM)


@pytest.mark.long
def test_the_platform_serves_the_tour_and_ends_without_a_trace(home_path: Path) -> None:
    ports = {"port": choose(), "sandbox_port": choose()}
    with running(home_path, **ports) as platform:
        demo = json.loads((home_path / "demo.json").read_text())
        assert demo["base_url"] == f"http://127.0.0.1:{ports['port']}"
        assert (home_path / "demo.json").stat().st_mode & 0o777 == 0o600
        assert status_of("/readyz", ports["port"]) == 200

        assert eventually(lambda: CALLED in body_of("/metrics", ports["port"]), seconds=60), "".join(platform.said)
        # Each of the two web processes shows what the worker's children have counted.
        assert all(CALLED in body_of("/metrics", ports["port"]) for _scrape in range(6))

        tour = walk_the_tour(home_path)
        assert tour.returncode == 0, tour.stdout + tour.stderr
        assert "webhook order.filled received, its signature verified" in tour.stdout

        before = platform.descendants()
        assert len(before) > 15
        assert platform.end(signal.SIGTERM) == 0
        assert [line for pid, line in before.items() if is_alive(pid)] == []
        stopped = [line.split(" ")[0] for line in platform.said if line.endswith("│ stopping\n")]
        assert stopped == ["beat", "stream", "sender", "router", "worker", "web", "sandbox"]
    assert {entry.name for entry in home_path.iterdir() if not is_content(entry.name)} == {MARKER, *LOCKS}


@pytest.mark.prove
def test_the_platform_survives_deaths_and_resumes(home_path: Path) -> None:
    ports = {"port": choose(), "sandbox_port": choose()}
    with running(home_path, **ports) as platform:
        demo = json.loads((home_path / "demo.json").read_text())
        worker = platform.main_process_of("worker")
        assert worker
        os.kill(worker, signal.SIGKILL)
        assert platform.says("worker   │ ended with SIGKILL, restarting in", seconds=20), "".join(platform.said)
        assert eventually(lambda: platform.main_process_of("worker"))

        before = platform.descendants()
        assert len(before) > 15
        platform.end(signal.SIGKILL)
        assert eventually(lambda: not any(map(is_alive, before)), seconds=40)

    with running(home_path, **ports) as platform:
        assert json.loads((home_path / "demo.json").read_text()) == demo
        assert not any("Migrating" in line or "Loading" in line for line in platform.said)
        assert platform.end(signal.SIGTERM) == 0
    assert {entry.name for entry in home_path.iterdir() if not is_content(entry.name)} == {MARKER, *LOCKS}


def walk_the_tour(home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "finops", "tour"]
    environment = {**os.environ, "FINOPS_HOME": str(home)}
    return subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=180, check=False
    )


def status_of(path: str, port: int) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def body_of(path: str, port: int) -> str:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def _parents() -> dict[int, int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return parents


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""
