"""Statements as values, so that one room can hand another what to insert, and several travel as one.

What a row consists of stays with its room and its model; who sends it, and together with what, is the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import JSONField, Model
from django.db.models.expressions import DatabaseDefault
from psycopg import RawCursor

Cursor = RawCursor[tuple[Any, ...]]

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `%s` placeholders, and their values. In one trip the server's own `$1` may stand in their place."""

    sql: str
    params: Sequence[Any] = ()

    def execute(self) -> int:
        """Run it by itself; return how many rows it changed."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.params)
            return int(cursor.rowcount)


def insert(row: Model) -> Statement:
    """Return the INSERT of a model instance, with every column but those that the database fills.

    JSON fields hold plain JSON data, or its bytes or text as they are to be stored.
    """
    model, values = type(row), row.__dict__
    names, json_names, filled_names = _columns(model)
    given = tuple(name for name in filled_names if not isinstance(values[name], DatabaseDefault))
    params = [values[name] for name in names + given]
    for position, name in json_names:
        params[position] = _encoded(values[name])
    return Statement(_insert_sql(model, names + given), params)


def together(statements: Sequence[Statement]) -> Statement:
    """Return one statement that does what all of these do, in one round trip and on one snapshot.

    None of them sees what another one changes; keys between their rows are checked at the end.
    """
    return Statement(
        _together_sql(tuple(statement.sql for statement in statements)),
        [value for statement in statements for value in statement.params],
    )


def run_in_one_trip(statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
    """Run statements one after the other, but in one round trip; return the rows of each.

    The server keeps their plans, unless FINOPS_DB_PREPARE forbids it. When one fails, those after it do not run.
    """
    database = connections[DEFAULT_DB_ALIAS]  # `connection` looks it up at every attribute
    database.ensure_connection()
    with database.wrap_database_errors:
        # Nothing is fetched inside: the end of the pipeline is its one wait for the server.
        with database.connection.pipeline():
            cursors = [_send(database, statement) for statement in statements]
        return [_rows(cursor) for cursor in cursors]


def _send(database: Any, statement: Statement) -> Cursor:
    """Send a statement as it is: Django's own cursor would write each value into the text, which costs more."""
    if database.queries_logged:
        database.queries_log.append({"sql": statement.sql, "time": "0"})
    cursor: Cursor = RawCursor(database.connection)
    cursor.execute(_numbered(statement.sql), statement.params, prepare=True)
    return cursor


def _rows(cursor: Cursor) -> list[tuple[Any, ...]]:
    result = cursor.pgresult
    return cursor.fetchall() if result is not None and result.nfields else []


@lru_cache
def _numbered(sql: str) -> str:
    """Return the SQL with the server's placeholders."""
    first, *others = sql.split("%s")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _encoded(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return (value if isinstance(value, bytes) else _json.encode(value)).decode()


@lru_cache
def _columns(model: type[Model]) -> tuple[tuple[str, ...], tuple[tuple[int, str], ...], tuple[str, ...]]:
    """Return a model's attributes, which of them are JSON and where, and those that the database fills."""
    filled = tuple(field.attname for field in model._meta.concrete_fields if field.has_db_default())
    fields = [field for field in model._meta.concrete_fields if field.attname not in filled]
    json_names = tuple((place, field.attname) for place, field in enumerate(fields) if isinstance(field, JSONField))
    return tuple(field.attname for field in fields), json_names, filled


@lru_cache
def _insert_sql(model: type[Model], names: tuple[str, ...]) -> str:
    columns = {field.attname: field.column for field in model._meta.concrete_fields}
    quoted = ", ".join(f'"{columns[name]}"' for name in names)
    # The names are our models'; values travel beside them.
    return f'INSERT INTO "{model._meta.db_table}" ({quoted}) VALUES ({", ".join(["%s"] * len(names))})'  # noqa: S608


@lru_cache
def _together_sql(parts: tuple[str, ...]) -> str:
    steps = ",\n".join(f"step_{number} AS ({part})" for number, part in enumerate(parts))
    return f"WITH {steps}\nSELECT"
