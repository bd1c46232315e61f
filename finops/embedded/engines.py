"""PostgreSQL and Valkey for `make run` and `make test`, as children that end when we do."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from finops.embedded.home import Home
from finops.embedded.ports import HOST
from finops.embedded.postgres import Postgres, Tuning
from finops.embedded.provision import DATABASE, OWNER, WEB, WORKER, password_of, provision
from finops.embedded.users import engine_user
from finops.embedded.valkey import Valkey


class Engines:
    """The embedded engines under one home.

    Use as a context manager, or call `start` and `stop`. `environment` holds the URLs of the engines that were started:
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
            if self.valkey is not None:
                self.valkey.start()
            if self.postgres is not None:
                self.postgres.start()
                provision(self.postgres, allow_createdb=self.allow_createdb)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End PostgreSQL, then Valkey, each within bounded time."""
        if self.postgres is not None:
            self.postgres.stop()
        if self.valkey is not None:
            self.valkey.stop()
        if self._owns_home:
            self.home.close()

    def dead(self) -> str | None:
        """Return the name of an engine that has ended by itself."""
        if self.postgres is not None and self.postgres.poll() is not None:
            return "PostgreSQL"
        if self.valkey is not None and self.valkey.poll() is not None:
            return "Valkey"
        return None

    @property
    def environment(self) -> dict[str, str]:
        """Return the URLs of the running engines by the name of their environment variable."""
        values = {}
        if self.postgres is not None:
            values["DATABASE_URL"] = self.database_url(WEB)
            values["DATABASE_WORKER_URL"] = self.database_url(WORKER)
            values["DATABASE_OWNER_URL"] = self.database_url(OWNER)
        if self.valkey is not None:
            values["REDIS_URL"] = f"redis://:{self.valkey.password}@{HOST}:{self.valkey.port}/0"
        return values

    def database_url(self, role: str, database: str = DATABASE) -> str:
        """Return the URL under which a login role reaches a database of the cluster."""
        assert self.postgres is not None
        return f"postgresql://{role}:{password_of(self.home, role)}@{HOST}:{self.postgres.port}/{database}"

    def __enter__(self) -> Engines:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _prepare(self) -> None:
        user = engine_user()
        wants_postgres, wants_valkey = self._wanted
        if wants_postgres:
            self.postgres = Postgres(self.home, user=user, port=self._ports[0], tuning=self.tuning)
        if wants_valkey:
            self.valkey = Valkey(self.home, user=user, port=self._ports[1], tuning=self.tuning)
        if user is not None:
            binaries = [engine.binaries / "postgres" for engine in [self.postgres] if engine]
            binaries += [engine.binary for engine in [self.valkey] if engine]
            user.require_reach([self.home.path, *binaries])
