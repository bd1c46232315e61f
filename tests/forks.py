"""Processes that tests kill, forked from one that has imported the application: that takes seconds, and is done once.

`python -m tests.forks` never opens a connection. For a line `<module>:<function> <argument>...` it forks a child, which
writes its pid, calls the function and exits; for a line `wait <pid>` it writes the child's wait status. At the end of
its input, also when the test itself was killed, it kills whatever child is left.
"""

import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parents[1]
_TOLD = 9  # the file that the test reads, in parent and children


class Forks:
    """The parent process, as the test sees it."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log, self._turn = log, threading.Lock()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forks"],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stdin.close()
        self._process.wait(timeout=30)
        self._stdout.close()

    def start(self, function: Callable[..., None], *arguments: object) -> int:
        """Have a child call a function of a module with words; return its pid."""
        return int(self._ask(f"{function.__module__}:{function.__name__}", *arguments))

    def read(self) -> str:
        """Return what a child says next."""
        line = self._stdout.readline()
        assert line, self.log.read_text()[-2000:]
        return line.rstrip("\n")

    def wait(self, pid: int) -> int:
        """Wait for a child's end and return its exit code, negative for a signal."""
        return os.waitstatus_to_exitcode(int(self._ask("wait", pid)))

    def kill(self, pid: int) -> int:
        """Kill a child as a crash of the machine would; return its exit code, which is another one if it had ended."""
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid)

    def _ask(self, *words: object) -> str:
        with self._turn:
            self._stdin.write(" ".join(map(str, words)) + "\n")
            self._stdin.flush()
            return self.read()


def say(word: object) -> None:
    """Tell the test something; in a child."""
    os.write(_TOLD, f"{word}\n".encode())


def run_dry(database: str, queue: str) -> None:
    """Run the jobs of a queue until none is due."""
    from apps.jobs.runner import run_next
    from tests.databases import log_in

    log_in("worker", database)
    while run_next(queue, worker=f"child-{os.getpid()}"):
        pass


def main() -> None:
    """Do what the lines on stdin say. Whatever else anybody prints goes to the log."""
    os.dup2(sys.stdout.fileno(), _TOLD)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    from django.core.wsgi import get_wsgi_application
    from django.urls import get_resolver
    from django.utils.module_loading import autodiscover_modules

    get_wsgi_application()
    autodiscover_modules("tasks")
    assert get_resolver().url_patterns  # they are imported here, with all that they lead to
    alive = set[int]()
    for line in sys.stdin:
        match line.split():
            case ["wait", pid]:
                alive.remove(int(pid))
                say(os.waitpid(int(pid), 0)[1])
            case [target, *arguments]:
                module, _colon, name = target.partition(":")
                function = getattr(import_module(module), name)
                alive.add(os.fork() or _call(function, arguments))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _call(function: Callable[..., Any], arguments: list[str]) -> NoReturn:
    code = 1
    try:
        say(os.getpid())
        function(*arguments)
        code = 0
    except Exception:  # noqa: BLE001  (whatever it is, it is for the log)
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
