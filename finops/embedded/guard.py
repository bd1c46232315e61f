"""Run one command so that nothing of it outlives the process that started it.

Started by path with ``python -I -S`` and hence without imports from the project:

    guard.py run   --stop-signal N --grace S [--uid N --gid N] -- command ...
    guard.py probe --uid N --gid N -- path ...

Standard input is the lifeline: a pipe whose other end the starter holds. The kernel closes it when the
starter dies, however it dies, so there is no moment in which the command could be orphaned. A parent-death
signal alone would reach only the direct child, and only if it was set before the parent died. On Linux the
guard is also the reaper of all descendants: what daemonises or opens a session of its own is ended, too.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LIFELINE = 0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IS_LINUX = sys.platform == "linux"


def main() -> int:
    """Parse the command line and run or probe; return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=("run", "probe"))
    parser.add_argument("--stop-signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--grace", type=float, default=10.0, help="seconds between the stop signal and SIGKILL")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("arguments", nargs="+")
    options = parser.parse_args()
    if options.mode == "probe":
        return probe(options)
    return Guard(options).run()


def drop_privileges(uid: int | None, gid: int | None) -> None:
    """Become another user for good, without supplementary groups."""
    if uid is None or gid is None:
        return
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def probe(options: argparse.Namespace) -> int:
    """Print the first folder on the way to each path that the given user cannot enter."""
    drop_privileges(options.uid, options.gid)
    for path in map(Path, options.arguments):
        for place in [*reversed(path.parents), path]:
            if not os.access(place, os.X_OK):
                print(place)
                return 1
    return 0


class Guard:
    """Start the command, wait for its end, the lifeline's end or a signal, and leave nothing behind."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.child = 0
        self.status: int | None = None

    def run(self) -> int:
        """Return the command's exit code, or 128 plus the number of the signal that ended it."""
        wakeup_reader, wakeup_writer = os.pipe()
        os.set_blocking(wakeup_writer, False)
        signal.set_wakeup_fd(wakeup_writer, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if IS_LINUX:
            _prctl(PR_SET_CHILD_SUBREAPER, 1)
        self.child = self._spawn()
        self._watch(wakeup_reader)
        if self.status is None:
            self._stop()
        self._sweep()
        assert self.status is not None
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else 128 + os.WTERMSIG(self.status)

    def _spawn(self) -> int:
        guard = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            self._exec(guard)
        except OSError as error:
            os.write(2, f"cannot start {self.options.arguments[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def _exec(self, guard: int) -> None:
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), LIFELINE)
        os.closerange(3, 256)
        drop_privileges(self.options.uid, self.options.gid)
        if IS_LINUX:
            # After the drop, since a change of user clears it. It covers a guard that is itself killed.
            _prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != guard:
                os._exit(127)
        os.execvp(self.options.arguments[0], self.options.arguments)  # noqa: S606  (no shell wanted)

    def _watch(self, wakeup: int) -> None:
        """Return when the command has ended, or has to."""
        while True:
            self._reap()
            if self.status is not None:
                return
            ready, _, _ = select.select([LIFELINE, wakeup], [], [])
            if LIFELINE in ready and not os.read(LIFELINE, 1024):
                return
            if wakeup in ready and {signal.SIGTERM, signal.SIGINT} & set(os.read(wakeup, 1024)):
                return

    def _stop(self) -> None:
        os.kill(self.child, self.options.stop_signal)
        deadline = time.monotonic() + self.options.grace
        while self.status is None and time.monotonic() < deadline:
            time.sleep(0.02)
            self._reap()
        if self.status is None:
            os.kill(self.child, signal.SIGKILL)
            _, self.status = os.waitpid(self.child, 0)

    def _reap(self) -> None:
        """Collect every child that has ended; orphaned descendants are ours on Linux."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.child:
                self.status = status

    def _sweep(self) -> None:
        """Kill what the command left behind; each round brings up the children of those just killed."""
        if not IS_LINUX:
            # Without a subreaper the process group is all we know of; it includes the guard itself.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.killpg(0, signal.SIGTERM)
            return
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            left = list(_children_of(os.getpid()))
            if not left:
                return
            for pid in left:
                _kill(pid)
            time.sleep(0.01)
            self._reap()


def _children_of(parent: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The command's name, in parentheses, may hold anything; the parent is the second field after it.
            stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat[1]) == parent:
            yield int(entry.name)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    sys.exit(main())
