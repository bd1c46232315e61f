"""PostgreSQL and Valkey for `make run` and `make test`, as children that end when we do."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from finops.embedded.engine import Engine, Tuning
from finops.embedded.environment import require_embedded_settings
from finops.embedded.home import Home
from finops.embedded.ports import HOST
from finops.embedded.postgres import Postgres
from finops.embedded.provision import DATABASE, OWNER, WEB, WORKER, password_of, provision
from finops.embedded.users import engine_user
from finops.embedded.valkey import Valkey


class Engines:
    """The embedded engines under one home.

    Use as a context manager, or call `start` and `stop`. `environment` holds the URLs of what was started:
    DATABASE_URL (login finops_web), DATABASE_WORKER_URL (finops_worker), DATABASE_OWNER_URL, REDIS_URL.
    """

    def __init__(
        self,
        home: Home | Path,
        *,
        pg_port: int | None = None,
        valkey_port: int | None = None,
        tuning: Tuning = "dev",
        postgres: bool = True,
        valkey: bool = True,
        allow_createdb: bool = False,
    ) -> None:
        """Prepare; a `Home` must already be open and stays open, a path is opened and locked by `start`."""
        self._owns_home = not isinstance(home, Home)
        self.home = home if isinstance(home, Home) else Home(home)
        self.tuning = tuning
        self.allow_createdb = allow_createdb
        self._ports = (pg_port, valkey_port)
        self._wanted = (postgres, valkey)
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None

    def start(self) -> None:
        """Start the engines and create roles and database.

        Raises: EmbeddedError, after ending whatever had been started.
        """
        if self._owns_home:
            self.home.open()
        try:
            self._prepare()
            for engine in self._engines:
                engine.start()
            if self.postgres is not None:
                provision(self.postgres, allow_createdb=self.allow_createdb)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End PostgreSQL, then Valkey, each within bounded time."""
        for engine in reversed(self._engines):
            engine.stop()
        if self._owns_home:
            self.home.close()

    def dead(self) -> str | None:
        """Return the name of an engine that has ended by itself."""
        return next((engine.title for engine in reversed(self._engines) if engine.poll() is not None), None)

    def revive(self) -> None:
        """Start again what has ended by itself, on the same port.

        Raises: EngineFailed.
        """
        for engine in self._engines:
            if engine.poll() is not None:
                engine.start()

    @property
    def _engines(self) -> list[Engine]:
        """The engines that are wanted, in the order in which they start."""
        return [engine for engine in (self.valkey, self.postgres) if engine is not None]

    @property
    def environment(self) -> dict[str, str]:
        """Return the URLs of the running engines by the name of their environment variable."""
        urls = engine_urls(self.home)
        wanted = [name for name in urls if (self.valkey if name == "REDIS_URL" else self.postgres) is not None]
        return {name: urls[name] for name in wanted}

    def database_url(self, role: str, database: str = DATABASE) -> str:
        """Return the URL under which a login role reaches a database of the cluster."""
        return _database_url(self.home, role, database)

    def __enter__(self) -> Engines:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        require_embedded_settings(os.environ)
        user = engine_user()
        wants_postgres, wants_valkey = self._wanted
        if wants_postgres:
            self.postgres = Postgres(self.home, user=user, port=self._ports[0], tuning=self.tuning)
        if wants_valkey:
            self.valkey = Valkey(self.home, user=user, port=self._ports[1], tuning=self.tuning)
        if user is not None:
            user.require_reach([self.home.path, *(engine.binary for engine in self._engines)])


def engine_urls(home: Home) -> dict[str, str]:
    """Return the URLs of the engines that run, or last ran, under a home."""
    state = home.read("state.json")
    urls = {}
    if "postgres_port" in state:
        urls["DATABASE_URL"] = _database_url(home, WEB)
        urls["DATABASE_WORKER_URL"] = _database_url(home, WORKER)
        urls["DATABASE_OWNER_URL"] = _database_url(home, OWNER)
    if "valkey_port" in state:
        urls["REDIS_URL"] = f"redis://:{home.secret('valkey')}@{HOST}:{state['valkey_port']}/0"
    return urls


def _database_url(home: Home, role: str, database: str = DATABASE) -> str:
    port = home.read("state.json")["postgres_port"]
    return f"postgresql://{role}:{password_of(home, role)}@{HOST}:{port}/{database}"
