"""What dies is restarted with growing pauses, what is shown is prefixed, and the end comes in order."""

import io
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finops.embedded.console import Console
from finops.embedded.process import Command
from finops.embedded.supervisor import FIRST_DELAY, LONGEST_DELAY, Restarts, Supervisor
from tests.embedded.conftest import eventually, processes_in

pytestmark = pytest.mark.no_database

Toy = Callable[..., Command]


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def supervisor(screen: io.StringIO) -> Iterator[Supervisor]:
    supervisor = Supervisor(Console(screen))
    yield supervisor
    supervisor.stop()


def tick_until(supervisor: Supervisor, condition: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        supervisor.tick(0.05)
    return bool(condition())


def test_each_line_is_prefixed_with_the_name_of_its_process(
    supervisor: Supervisor, screen: io.StringIO, toy: Toy
) -> None:
    assert supervisor.run_to_end(toy("demo", "print('one'); print('two', end='')")) == 0
    assert screen.getvalue() == "demo     │ one\ndemo     │ two\n"


def test_a_command_that_fails_tells_its_exit_code(supervisor: Supervisor, toy: Toy) -> None:
    assert supervisor.run_to_end(toy("demo", "raise SystemExit(3)")) == 3


def test_a_process_that_dies_is_shown_and_started_again(
    supervisor: Supervisor, screen: io.StringIO, toy: Toy, tmp_path: Path
) -> None:
    source = "import os, time; print('up', os.getpid(), flush=True); time.sleep(60)"
    supervisor.start(toy("worker", source))
    assert tick_until(supervisor, lambda: "up" in screen.getvalue())
    first = int(re.findall(r"up (\d+)", screen.getvalue())[0])
    os.kill(first, signal.SIGKILL)
    assert tick_until(supervisor, lambda: screen.getvalue().count("up") == 2)
    assert re.search(r"^worker   │ ended with SIGKILL, restarting in 0\.\d s$", screen.getvalue(), re.MULTILINE)


def test_a_process_that_keeps_dying_is_restarted_with_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    restarts = Restarts()
    delays = [restarts.schedule() for _ in range(12)]
    for number, delay in enumerate(delays):
        longest = min(LONGEST_DELAY, FIRST_DELAY * 2**number)
        assert longest / 2 <= delay <= longest


def test_a_process_that_had_lived_well_starts_from_the_first_pause() -> None:
    restarts = Restarts(attempts=9, started=time.monotonic() - 60)
    assert restarts.schedule() <= FIRST_DELAY


def test_a_restart_is_taken_once_and_only_when_it_is_due() -> None:
    restarts = Restarts()
    assert not restarts.take()
    restarts.schedule()
    assert not restarts.take()
    restarts.due = time.monotonic()
    assert restarts.take()
    assert not restarts.take()


def test_stop_ends_the_last_started_first_and_shows_their_last_words(
    supervisor: Supervisor, screen: io.StringIO, toy: Toy, tmp_path: Path
) -> None:
    polite = (
        "import signal, sys, time\n"
        "def leave(*_): print('bye'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    for name in ("sandbox", "web", "worker", "beat"):
        supervisor.start(toy(name, polite))
    assert tick_until(supervisor, lambda: screen.getvalue().count("up") == 4)
    supervisor.stop()
    said = [line.split(" │ ") for line in screen.getvalue().splitlines()[4:]]
    assert [(name.strip(), text) for name, text in said] == [
        (name, text) for name in ("beat", "worker", "web", "sandbox") for text in ("stopping", "bye")
    ]
    assert eventually(lambda: processes_in(tmp_path) == [])


def test_more_output_than_a_pipe_holds_blocks_nobody_while_stopping(
    supervisor: Supervisor, screen: io.StringIO, toy: Toy
) -> None:
    talkative = (
        "import signal, sys, time\n"
        "def leave(*_): print('x' * 300_000); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    supervisor.start(toy("web", talkative))
    assert tick_until(supervisor, lambda: "up" in screen.getvalue())
    before = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - before < 5
    assert screen.getvalue().count("x") == 300_000
