"""Columns, keys, constraints and indexes: what the models say, and what is there."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader

from apps.core.db.statements import Statement
from apps.core.drift.comparing import NOTHING, Things, compare
from apps.core.drift.declared import protection
from apps.core.scope import snapshot_scope
from apps.core.verification import Finding, Seen, Subject, read

_COLUMNS = """
SELECT c.relname AS table, a.attname AS name, a.attnotnull AS is_filled
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_NAMED = """
SELECT r.relname AS table, c.conname AS name, c.convalidated AS is_valid
  FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid WHERE r.relnamespace = 'public'::regnamespace
UNION
SELECT r.relname, c.relname, i.indisvalid AND i.indisready
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
    with snapshot_scope():
        applied = set(MigrationLoader(connection, ignore_no_migrations=True).applied_migrations)
        columns, named, keys = (read(Statement(sql)) for sql in (_COLUMNS, _NAMED, _KEYS))
    on_disk = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    yield from compare(_applied(on_disk), _applied(applied & on_disk))
    tables = _models()
    yield from compare(
        {(name, field.column): _filled(not field.null or field.primary_key) for name, field in _fields(tables)},
        {(row["table"], row["name"]): _filled(row["is_filled"]) for row in columns if row["table"] in tables},
    )
    declared = dict(_declared(tables)) | dict.fromkeys(protection().constraints, "valid")
    actual = {(row["table"], row["name"]): "valid" if row["is_valid"] else "not valid" for row in named}
    # The names of what Django makes by itself are its own business; that it is valid is not.
    invalid = {key for key, state in actual.items() if state != "valid"}
    yield from compare(
        declared | dict.fromkeys(invalid, "valid"), {key: actual.get(key, NOTHING) for key in declared.keys() | invalid}
    )
    referring = {(row["table"], row["name"]) for row in keys}
    wanted = [(name, field.column) for name, field in _fields(tables) if _has_key(field)]
    yield from compare(
        dict.fromkeys(wanted, "a foreign key"),
        {key: "a foreign key" if key in referring else "no foreign key" for key in wanted},
    )


def _applied(migrations: set[tuple[str, str]]) -> Things:
    return {("django_migrations", f"{app}.{name}"): "applied" for app, name in migrations}


def _models() -> dict[str, Any]:
    found = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: model for model in found if model._meta.managed and not model._meta.proxy}


def _fields(tables: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, model in tables.items():
        yield from ((name, field) for field in model._meta.local_concrete_fields)


def _filled(is_filled: bool) -> str:
    return "always filled" if is_filled else "may be empty"


def _declared(tables: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for table, model in tables.items():
        for named in [*model._meta.constraints, *model._meta.indexes]:
            yield (table, named.name), "valid"


def _has_key(field: Any) -> bool:
    return isinstance(field, models.ForeignKey) and bool(getattr(field, "db_constraint", True))
