"""Nothing that a guarded process started outlives it, its guard or its starter."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from finops.embedded.process import Command, GuardedProcess
from finops.embedded.users import EngineUser
from tests.embedded.conftest import PROJECT, eventually, is_alive, processes_in

pytestmark = pytest.mark.no_database

Toy = Callable[..., Command]

# A worker of the kinds that exist: one that stays in the group, one that opens a session of its own.
FAMILY = """
import os, pathlib, subprocess, sys, time
nap = [sys.executable, "-c", "import time; time.sleep(60)"]
pids = [os.getpid(), subprocess.Popen(nap).pid, subprocess.Popen(nap, start_new_session=True).pid]
pathlib.Path("pids.draft").write_text(" ".join(map(str, pids)))
os.rename("pids.draft", "pids")
time.sleep(60)
"""


def output_of(process: GuardedProcess) -> bytes:
    """Return all output; it ends when nobody is left to write."""
    assert process.output is not None
    with process.output as output:
        return output.read()


def family_of(folder: Path) -> list[int]:
    assert eventually((folder / "pids").exists)
    return [int(pid) for pid in (folder / "pids").read_text().split()]


def test_the_exit_code_and_the_output_are_the_commands_own(toy: Toy) -> None:
    process = GuardedProcess(toy("toy", "print('said'); raise SystemExit(7)"), output=subprocess.PIPE)
    assert output_of(process) == b"said\n"
    assert eventually(lambda: process.poll() is not None)
    assert process.poll() == 7


def test_stop_ends_the_command_and_everything_it_started(toy: Toy, tmp_path: Path) -> None:
    process = GuardedProcess(toy("toy", FAMILY), output=subprocess.DEVNULL)
    family = family_of(tmp_path)
    assert all(map(is_alive, family))
    assert process.stop() == 128 + signal.SIGTERM
    assert [pid for pid in family if is_alive(pid)] == []


def test_a_command_that_ends_by_itself_leaves_no_worker_behind(toy: Toy, tmp_path: Path) -> None:
    process = GuardedProcess(toy("toy", FAMILY), output=subprocess.DEVNULL)
    family = family_of(tmp_path)
    os.kill(family[0], signal.SIGKILL)
    assert eventually(lambda: process.poll() == 128 + signal.SIGKILL)
    assert [pid for pid in family if is_alive(pid)] == []


def test_a_command_that_ignores_the_stop_signal_is_killed_after_its_grace(toy: Toy, tmp_path: Path) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FAMILY
    process = GuardedProcess(toy("toy", stubborn, grace=0.3), output=subprocess.DEVNULL)
    family_of(tmp_path)
    before = time.monotonic()
    assert process.stop() == 128 + signal.SIGKILL
    assert 0.3 <= time.monotonic() - before < 3


def test_the_command_gets_the_stop_signal_that_it_asked_for(toy: Toy, tmp_path: Path) -> None:
    waiting = (
        "import pathlib, time\n"
        "pathlib.Path('up').touch()\n"
        "try: time.sleep(60)\nexcept KeyboardInterrupt: print('interrupted')"
    )
    process = GuardedProcess(toy("toy", waiting, stop_signal=signal.SIGINT), output=subprocess.PIPE)
    assert eventually((tmp_path / "up").exists)
    assert process.stop() == 0
    assert output_of(process) == b"interrupted\n"


def test_killing_the_guard_ends_its_command(toy: Toy, tmp_path: Path) -> None:
    process = GuardedProcess(toy("toy", FAMILY), output=subprocess.DEVNULL)
    command, worker, _ = family_of(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    assert eventually(lambda: process.poll() == -signal.SIGKILL)
    assert eventually(lambda: not is_alive(command) and not is_alive(worker))
    for pid in processes_in(tmp_path):  # The one with a session of its own; nobody is left to know of it.
        os.kill(pid, signal.SIGKILL)


def test_kill_9_of_the_starter_ends_everything(tmp_path: Path) -> None:
    starter = f"""
import os, pathlib, subprocess, sys, time
from finops.embedded.process import Command, GuardedProcess
here = pathlib.Path({str(tmp_path)!r})
command = Command("toy", [sys.executable, "-c", {FAMILY!r}], dict(os.environ), here)
process = GuardedProcess(command, output=subprocess.PIPE)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", starter], cwd=PROJECT)
    family = family_of(tmp_path)
    process.kill()
    process.wait()
    assert eventually(lambda: not any(map(is_alive, family)))
    assert eventually(lambda: processes_in(tmp_path) == [])


def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    process = GuardedProcess(Command("toy", ["/no/such/thing"], {}, tmp_path), output=subprocess.PIPE)
    assert output_of(process) == b"cannot start /no/such/thing: [Errno 2] No such file or directory\n"
    assert eventually(lambda: process.poll() == 127)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_command_drops_to_the_user_it_is_told(toy: Toy) -> None:
    command = Command(
        "toy", ["/bin/sh", "-c", "id -u; id -g; id -G"], {"PATH": "/usr/bin:/bin"}, Path("/"),
        user=EngineUser("somebody", 4711, 4712),
    )  # fmt: skip
    process = GuardedProcess(command, output=subprocess.PIPE)
    assert output_of(process) == b"4711\n4712\n4712\n"
    process.stop()
