"""The cells of the matrix of one tenant table: who sees which rows, who may do what, what can refer to whom.

They run on the owner's connection, inside a transaction that is rolled back, in the roles of the platform, so that they
can be run with the database changed under them: see test_mutations.py. What is expected is read before.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege

from apps.core.ids import new_id
from tests.matrix.owner import Owner
from tests.matrix.world import World

VERBS = ("SELECT", "INSERT", "UPDATE", "DELETE")
ROLES = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'finops_') AND rolname <> 'finops_owner' ORDER BY 1"
# Who sees the rows of one tenant alone, or of those that they are limited to.
CONFINED = ("finops_app", "finops_grantee", "finops_impersonator", "finops_staff_limited")
_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
    AND attgenerated = '' AND has_column_privilege(%s, attrelid, attnum, %s) ORDER BY attnum
"""
_REFERENCES = """
SELECT c.conname, c.confrelid::regclass::text,
    (SELECT attname FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = c.conkey[2])
FROM pg_constraint c JOIN pg_class r ON r.oid = c.confrelid AND r.relforcerowsecurity
WHERE c.contype = 'f' AND c.conrelid = %s::regclass AND cardinality(c.conkey) = 2 ORDER BY 1
"""
# The role comes last: whatever is read before, the owner reads.
_ACT = """
SELECT set_config('app.tenant_id', %s, true), set_config('app.tenant_ids', %s, true),
    set_config('app.account_ids', (SELECT array_agg(id)::text FROM accounts_account), true),
    set_config('app.connection_ids', (SELECT array_agg(id)::text FROM providers_connection), true),
    set_config('role', %s, true)
"""
_LEFT_OUT = ((), ("sequence",), ("tenant", "sequence"))

Seen = dict[UUID, int]


@dataclass(frozen=True, slots=True)
class Table:
    """A tenant table as it is meant to be.

    `may` lists the columns by role and verb (all of them for DELETE); `seen` and `changed` are the rows that a role
    reaches to read and to change; `references` are (constraint, target, column).
    `additions` are the SQLSTATE with which a copy of `row` is refused, by role and by what is left out of it.
    """

    name: str
    tenant_column: str
    row: dict[str, Any]
    may: Mapping[tuple[str, str], list[str]]
    seen: Mapping[str, Seen]
    changed: Mapping[str, Seen]
    references: list[tuple[str, str, str]]
    checks: list[str]
    additions: Mapping[tuple[str, tuple[str, ...]], str]


def look_at(name: str, world: World, owner: Owner) -> Table:
    """Read what the cells expect from the database as it is."""
    column = owner.tenant_column(name)
    roles = owner.column(ROLES)
    may = {}
    for role in roles:
        for verb in VERBS:
            if verb == "DELETE":
                held = owner.column("SELECT has_table_privilege(%s, %s, 'DELETE')", role, name) == [True]
                may[role, verb] = ["*"] if held else []
            else:
                may[role, verb] = owner.column(_COLUMNS, name, role, verb)
    (row,) = owner.column(
        f"SELECT to_jsonb(t) FROM {name} t WHERE {column} = %s ORDER BY 1 LIMIT 1", world.acme.tenant.id
    )
    readers = [role for role in roles if column in may[role, "SELECT"]]
    with owner.connection.transaction(force_rollback=True):
        seen = {role: _seen(name, column, role, world, owner.connection) for role in readers}
        changed = {
            role: _seen(name, column, role, world, owner.connection, to_change=True)
            for role in readers
            if may[role, "UPDATE"]
        }
    references = owner.connection.execute(_REFERENCES, [name]).fetchall()
    checks = owner.column("SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass", name)
    targets = [(key, target, str(to)) for key, target, to in references]
    table = Table(name, column, row, may, seen, changed, targets, checks, {})
    with owner.connection.transaction(force_rollback=True):
        return replace(table, additions=_additions(table, world, owner.connection))


def complaints(table: Table, world: World, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Run the table's cells; say what each that fails has found."""
    yield from _rows_seen(table, world, connection)
    yield from _rows_changed(table, world, connection)
    yield from _rows_given(table, world, connection)
    for kind, state in _additions(table, world, connection).items():
        if state != table.additions[kind]:
            yield f"{kind} is answered {state or 'well'} in {table.name}, not {table.additions[kind] or 'well'}"
    yield from _privileges(table, world, connection)
    yield from _referring(table, world, connection)


def _rows_seen(table: Table, world: World, connection: psycopg.Connection[Any]) -> Iterator[str]:
    for role, before in table.seen.items():
        try:
            now = _seen(table.name, table.tenant_column, role, world, connection)
        except InsufficientPrivilege:
            yield f"{role} cannot read {table.name}"
            continue
        if now != before:
            yield f"{role} sees {now} in {table.name}, not {before}"
        if role in CONFINED and set(now) - {world.acme.tenant.id}:
            yield f"{role} sees another tenant's rows in {table.name}"


def _rows_changed(table: Table, world: World, connection: psycopg.Connection[Any]) -> Iterator[str]:
    for role, before in table.changed.items():
        try:
            now = _seen(table.name, table.tenant_column, role, world, connection, to_change=True)
        except InsufficientPrivilege:
            yield f"{role} cannot change {table.name}"
            continue
        if now != before:
            yield f"{role} may change {now} in {table.name}, not {before}"


def _seen(
    name: str, column: str, role: str, world: World, connection: psycopg.Connection[Any], *, to_change: bool = False
) -> Seen:
    """Count the rows by tenant, as a role that acts for acme; a lock to change them asks the policies of UPDATE."""
    rows = f"SELECT {column} FROM {name}{' FOR NO KEY UPDATE' if to_change else ''}"
    with in_role(role, world, connection):
        return dict(connection.execute(f"SELECT {column}, count(*) FROM ({rows}) AS rows GROUP BY 1").fetchall())


def _rows_given(table: Table, world: World, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """A confined role gives no row away: neither a new one nor one that is there."""
    theirs = world.globex.tenant.id
    for role in CONFINED:
        columns = table.may.get((role, "INSERT"), [])
        if table.tenant_column in columns:
            copy = {**table.row, "id": str(new_id()), table.tenant_column: str(theirs)}
            if not _is_refused(role, _insert(table.name, columns), [json.dumps(copy)], world, connection):
                yield f"{role} adds a row of globex to {table.name}"
        if table.tenant_column in table.may.get((role, "UPDATE"), []):
            update = f"UPDATE {table.name} SET {table.tenant_column} = %s WHERE {table.tenant_column} = %s"
            if not _is_refused(role, update, [theirs, world.acme.tenant.id], world, connection):
                yield f"{role} gives rows of {table.name} to globex"


def _additions(
    table: Table, world: World, connection: psycopg.Connection[Any]
) -> dict[tuple[str, tuple[str, ...]], str]:
    """Add a copy of acme's row in every role that may: as it is, as the installation's, and before it has a number."""
    states: dict[tuple[str, tuple[str, ...]], str] = {}
    for (role, verb), columns in table.may.items():
        for absent in _LEFT_OUT if verb == "INSERT" and columns else ():
            fields = [table.tenant_column if name == "tenant" else name for name in absent]
            copy = {**table.row, "id": str(new_id()), **dict.fromkeys(set(fields) & set(table.row))}
            try:
                with in_role(role, world, connection):
                    connection.execute(_insert(table.name, columns), [json.dumps(copy)])
                    states[role, absent] = ""
            except psycopg.Error as refusal:
                states[role, absent] = refusal.sqlstate or "?"
    return states


def _insert(name: str, columns: list[str]) -> str:
    names = ", ".join(columns)
    return f"INSERT INTO {name} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{name}, %s)"


def _privileges(table: Table, world: World, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """What a role may do, it can; what it may not, it cannot. No row is touched: privileges are looked at first."""
    for (role, verb), columns in table.may.items():
        for column in columns or [table.tenant_column]:
            if can(role, verb, table.name, column, world, connection) != bool(columns):
                yield f"{role} {'can' if not columns else 'cannot'} {verb} {column} of {table.name}"


def can(role: str, verb: str, table: str, column: str, world: World, connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a role can do a verb to a column of a table; no row is touched."""
    return not _is_refused(role, _nothing(verb, table, column), [], world, connection)


def _nothing(verb: str, table: str, column: str) -> str:
    return {
        "SELECT": f"SELECT {column} FROM {table} WHERE false",
        "INSERT": f"INSERT INTO {table} ({column}) SELECT NULL WHERE false",
        "UPDATE": f"UPDATE {table} SET {column} = DEFAULT WHERE false",
        "DELETE": f"DELETE FROM {table} WHERE false",
    }[verb]


def _referring(table: Table, world: World, connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Not even the owner, past the table's own triggers and checks, makes acme's row refer to globex's."""
    for constraint, target, column in table.references:
        taken = f"EXISTS (SELECT FROM {table.name} r WHERE r.{column} = t.id)"
        other = f"(SELECT id FROM {target} t WHERE tenant_id = %s ORDER BY {taken}, id LIMIT 1)"
        one_row = f"(SELECT ctid FROM {table.name} WHERE tenant_id = %s LIMIT 1)"
        try:
            with connection.transaction(force_rollback=True):
                connection.execute(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
                for check in table.checks:
                    connection.execute(f"ALTER TABLE {table.name} DROP CONSTRAINT {check}")
                connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
                connection.execute(
                    f"UPDATE {table.name} SET {column} = {other} WHERE ctid = {one_row}",
                    [world.globex.tenant.id, world.acme.tenant.id],
                )
        except ForeignKeyViolation as refusal:
            if refusal.diag.constraint_name == constraint:
                continue
        yield f"{column} of {table.name} refers to another tenant's {target}"


def _is_refused(
    role: str, statement: str, parameters: list[Any], world: World, connection: psycopg.Connection[Any]
) -> bool:
    """Return whether the database refuses for want of privilege or by a policy; any other error lets it pass."""
    try:
        with in_role(role, world, connection):
            connection.execute(statement, parameters)
    except InsufficientPrivilege:
        return True
    except psycopg.Error:
        return False
    return False


@contextmanager
def in_role(role: str, world: World, connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Act for acme in a role, and undo it. Single objects are granted of both tenants."""
    acme = str(world.acme.tenant.id)
    with connection.transaction(force_rollback=True):
        connection.execute(_ACT, [acme, "{" + acme + "}", role])
        yield
