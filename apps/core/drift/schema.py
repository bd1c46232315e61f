"""Columns, keys, constraints and indexes: what the models say, and what is there."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from apps.core.db.statements import Statement
from apps.core.drift.comparing import NOTHING, Things, compare, drift, means_the_same
from apps.core.drift.declared import protection
from apps.core.drift.manners import Manner, manner_of, type_of
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Row, Seen, Subject, read

_COLUMNS = """
SELECT c.relname AS table, a.attname AS name, a.attnotnull AS is_filled, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
# A unique constraint is its index; one on a whole column may have any name.
_NAMED = """
SELECT r.relname AS table, c.conname AS name, c.convalidated AS is_valid,
       CASE c.contype WHEN 'c' THEN 'check'
                      ELSE replace(replace(pg_get_constraintdef(c.oid), ' NOT VALID', ''), '"', '') END AS words,
       pg_get_expr(c.conbin, c.conrelid) AS condition
  FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
 WHERE c.contype IN ('c', 'f') AND r.relnamespace = 'public'::regnamespace
UNION ALL
SELECT r.relname, c.relname, i.indisvalid AND i.indisready,
       CASE WHEN i.indisunique THEN 'unique (' || (
                 SELECT string_agg(coalesce(a.attname, 'an expression'), ', ' ORDER BY key.number)
                   FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS key (attnum, number)
                   LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.attnum
                  WHERE key.number <= i.indnkeyatts)
                 || CASE WHEN i.indnullsnotdistinct THEN '), nulls too' ELSE ')' END
            ELSE 'index' END,
       CASE WHEN i.indisunique THEN pg_get_expr(i.indpred, i.indrelid) END
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class r ON r.oid = i.indrelid
 WHERE r.relnamespace = 'public'::regnamespace
"""
_KEYS = """
SELECT r.relname AS table, a.attname AS name
  FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)]
 WHERE c.contype = 'f' AND r.relnamespace = 'public'::regnamespace
"""


def walk_constraints(_subject: Subject) -> Iterator[Seen | Finding]:
    """Compare the migrations that are applied, then what every model declares."""
    tables = _models()
    with snapshot_scope():
        applied = set(MigrationLoader(connection, ignore_no_migrations=True).applied_migrations)
        columns, named, keys = (read(Statement(sql)) for sql in (_COLUMNS, _NAMED, _KEYS))
        altered = list(_altered(tables, named))
    on_disk = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    yield from compare(_applied(on_disk), _applied(applied & on_disk))
    yield from compare(
        {(name, field.column): _declared_column(tables[name], field) for name, field in _fields(tables)},
        {(row["table"], row["name"]): _column(tables[row["table"]], row) for row in columns if row["table"] in tables},
    )
    yield from _compare_named(tables, named)
    yield from altered
    wanted = [(name, field.column) for name, field in _fields(tables) if _has_key(field)]
    yield from _find(wanted, {(row["table"], row["name"]) for row in keys}, "a foreign key")
    whole = {(row["table"], row["words"]) for row in named if row["is_valid"] and row["condition"] is None}
    wanted = [(name, f"unique ({field.column})") for name, field in _fields(tables) if field.unique]
    yield from _find(wanted, whole, "a key")


def _compare_named(tables: dict[str, Any], named: list[Row]) -> Iterator[Seen | Finding]:
    """Compare what has a name of ours: whether it is there, is valid, and is what it is called."""
    actual = {(row["table"], row["name"]): f"{row['words']}, {_validity(row['is_valid'])}" for row in named}
    declared = {key: f"{manner.words}, valid" for key, manner in _declared(tables)}
    # Of what our own SQL declares, the words are not read.
    declared |= {key: actual.get(key, "valid").replace("not valid", "valid") for key in protection().constraints}
    # The names of what Django makes by itself are its own business; that it is valid is not.
    broken = {key: words for key, words in actual.items() if words.endswith("not valid") and key not in declared}
    declared |= {key: words.replace("not valid", "valid") for key, words in broken.items()}
    yield from compare(declared, {key: actual.get(key, NOTHING) for key in declared})


def _altered(tables: dict[str, Any], named: list[Row]) -> Iterator[Finding]:
    """Yield what checks another condition than was declared, or holds for other rows."""
    conditions = {(row["table"], row["name"]): row["condition"] for row in named}
    for (table, name), manner in _declared(tables):
        found = conditions.get((table, name), manner.condition)
        if not means_the_same(table, manner.condition, found):
            yield drift(table, f"{name} condition", manner.condition or NOTHING, found or NOTHING)


def _find(wanted: list[tuple[str, str]], there: set[tuple[str, str]], what: str) -> Iterator[Seen | Finding]:
    yield from compare(dict.fromkeys(wanted, what), {key: what if key in there else f"no{what[1:]}" for key in wanted})


def _applied(migrations: set[tuple[str, str]]) -> Things:
    return {("django_migrations", f"{app}.{name}"): "applied" for app, name in migrations}


def _models() -> dict[str, Any]:
    found = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: model for model in found if model._meta.managed and not model._meta.proxy}


def _fields(tables: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, model in tables.items():
        yield from ((name, field) for field in model._meta.local_concrete_fields)


def _declared_column(model: Any, field: Any) -> str:
    row = {"type": type_of(field), "is_filled": not field.null or field.primary_key}
    return _column(model, row)


def _column(model: Any, row: Row) -> str:
    """Return a column in words. Which type a key of other people's tables has is their migrations' business."""
    filled = "always filled" if row["is_filled"] else "may be empty"
    return f"{row['type']}, {filled}" if model.__module__.startswith("apps.") else filled


def _validity(is_valid: bool) -> str:
    return "valid" if is_valid else "not valid"


def _declared(tables: dict[str, Any]) -> Iterator[tuple[tuple[str, str], Manner]]:
    for table, model in tables.items():
        for named in [*model._meta.constraints, *model._meta.indexes]:
            yield (table, named.name), manner_of(named, model)


def _has_key(field: Any) -> bool:
    return isinstance(field, models.ForeignKey) and bool(getattr(field, "db_constraint", True))
