"""One POST, killed at each of its boundaries in turn and sent again, against what it leaves when nothing happens."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Self

import httpx
import pytest
from psycopg import sql

from tests import databases
from tests.crash.web_server import Server
from tests.crash.wire import Boundary, Wire
from tests.forks import Forks

_TABLES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


class Ordeal:
    """Kills servers during requests, and lets one that nobody kills answer the repetitions.

    `statements` is what a request executes when nothing happens, `footprint` the rows that it adds, by table.
    """

    def __init__(self, forks: Forks, database: str) -> None:
        self._forks, self._database = forks, database
        self._owner = databases.as_owner(database)
        self._survivor = Server(forks, database, self._owner.info.port)
        self._keys = count()
        self.statements: list[str] = []
        self.footprint: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._survivor.kill()
        self._owner.close()

    def trace(self, path: str, body: Mapping[str, Any], *, secret: str, prepare: Callable[[], object] = bool) -> None:
        """Learn what the request does: its statements are those between it and the server, not those we know of.

        `prepare` puts the world into the state in which each request is to find it.
        """
        self._path, self._secret, self._prepare = path, secret, prepare
        self._post(self._survivor, body)  # what comes with the first of its kind is there
        self._body = body
        for _again in range(2):
            prepare()
            with self._added() as added, Wire(self._owner.info.host, self._owner.info.port) as wire:
                server = Server(self._forks, self._database, wire.port)
                answer = self._post(server, body)
                server.kill()
            assert answer.status_code == 201, answer.text
            shapes = [_shape(statement) for statement in wire.statements]
            assert self.statements in ([], shapes), "a request does the same each time"
            self.statements, self.footprint = shapes, added

    def boundaries(self) -> Iterator[Boundary]:
        """Yield every moment at which the process can die, as far as the database is concerned."""
        for number in range(len(self.statements)):
            yield Boundary(number, "before")
            yield Boundary(number, "after")

    def suffer(self, boundary: Boundary) -> bool:
        """Die at a boundary, send the request again twice; return whether the first one had its effect by itself.

        Either way all of it happened once, and every answer is the same.
        """
        key = f"{boundary.side} {boundary.statement}"
        self._prepare()
        with self._added() as added:
            self._die(boundary, key)
            self._prepare()
            answer = self._post(self._survivor, self._body, key=key)
            again = self._post(self._survivor, self._body, key=key)
        assert answer.status_code == 201, answer.text
        assert added == self.footprint, f"{boundary}: {answer.text}"
        assert (again.content, again.headers["Idempotency-Replayed"]) == (answer.content, "true")
        return answer.headers.get("Idempotency-Replayed") == "true"

    def _die(self, boundary: Boundary, key: str) -> None:
        victims: list[Server] = []

        def kill() -> None:
            victims[0].kill()

        with Wire(self._owner.info.host, self._owner.info.port, at=boundary, kill=kill) as wire:
            victims.append(Server(self._forks, self._database, wire.port))
            with pytest.raises(httpx.HTTPError):
                self._post(victims[0], self._body, key=key)
            assert wire.reached.wait(10), "it died where it was to die"

    def _post(self, server: Server, body: Mapping[str, Any], *, key: str = "") -> httpx.Response:
        return server.post(self._path, body, key=key or f"undisturbed {next(self._keys)}", secret=self._secret)

    @contextmanager
    def _added(self) -> Iterator[Counter[str]]:
        """Count the rows that are added while the block runs, by table."""
        before, added = self._rows(), Counter[str]()
        yield added
        added.update({table: rows - before[table] for table, rows in self._rows().items() if rows != before[table]})

    def _rows(self) -> dict[str, int]:
        names = [name for (name,) in self._owner.execute(_TABLES)]
        counting = [
            sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(name), sql.Identifier(name)) for name in names
        ]
        return {name: int(rows) for name, rows in self._owner.execute(sql.SQL(" UNION ALL ").join(counting))}


def _shape(statement: str) -> str:
    """Return SQL without what differs from request to request: values, and numbers in names of savepoints."""
    return " ".join(re.sub(r"'(?:[^']|'')*'|[0-9]+", "?", statement).split())
