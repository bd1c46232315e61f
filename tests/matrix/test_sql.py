"""Raw SQL in acme's scope, on every tenant table and every foreign key that the catalogue has."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege, RestrictViolation

from apps.core.ids import new_id
from apps.core.models import TenantModel
from apps.core.scope import tenant_scope
from tests.matrix.owner import Owner
from tests.matrix.world import World

pytestmark = pytest.mark.commits

_FOREIGN_KEYS = """
SELECT c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
    ARRAY(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (n, place)
          JOIN pg_attribute ON attrelid = c.conrelid AND attnum = n ORDER BY place)
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid AND t.relforcerowsecurity
JOIN pg_class r ON r.oid = c.confrelid AND r.relforcerowsecurity
WHERE c.contype = 'f' ORDER BY 1
"""
# Columns that a copy must change, lest a rule of uniqueness refuses it first.
_NATURAL_KEYS = {"external_id", "row_key", "venue_execution_id", "client_order_id", "token_hash", "email"}
# The same for references that are unique: something of acme's, or of nobody's, that no row refers to.
_FREE = {
    "orders_position": (
        "instrument_id",
        "SELECT i.id FROM market_instrument i WHERE NOT EXISTS "
        "(SELECT FROM orders_position p WHERE p.tenant_id = %s AND p.instrument_id = i.id)",
    ),
    "tenants_membership": (
        "user_id",
        "SELECT u.id FROM users_user u WHERE NOT EXISTS "
        "(SELECT FROM tenants_membership m WHERE m.tenant_id = %s AND m.user_id = u.id)",
    ),
}
_UPDATABLE = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
  AND has_column_privilege('finops_app', attrelid, attnum, 'UPDATE')
"""


@contextmanager
def refused(*errors: type[psycopg.Error]) -> Iterator[pytest.ExceptionInfo[DatabaseError]]:
    """Expect the block to be refused by the database, with one of these errors."""
    with pytest.raises(DatabaseError) as refusal, transaction.atomic():
        yield refusal
    assert isinstance(refusal.value.__cause__, errors), repr(refusal.value)


def execute(statement: str, *parameters: str | UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.rowcount


def app_may(privilege: str, table: str, owner: Owner) -> bool:
    """Return whether the tenant's role has the privilege, on the table or on any of its columns."""
    function = "has_table_privilege" if privilege == "DELETE" else "has_any_column_privilege"
    return owner.column(f"SELECT {function}('finops_app', %s, %s)", table, privilege) == [True]


@pytest.fixture(autouse=True)
def globex_is_untouched(world: World, owner: Owner) -> Iterator[None]:
    before = owner.rows_of(world.globex.tenant.id)
    yield
    assert owner.rows_of(world.globex.tenant.id) == before


def test_both_tenants_have_a_row_in_every_tenant_table(world: World, owner: Owner) -> None:
    for side in (world.acme, world.globex):
        rows = owner.rows_of(side.tenant.id)
        assert [table for table in owner.tenant_tables if not rows[table][0]] == []


def test_reading_shows_acmes_rows_and_all_of_them(world: World, owner: Owner) -> None:
    counts = owner.rows_of(world.acme.tenant.id)
    for table in owner.tenant_tables:
        column, readable = owner.tenant_column(table), app_may("SELECT", table, owner)
        with tenant_scope(world.acme.tenant.id), connection.cursor() as cursor:
            if not readable:
                with refused(InsufficientPrivilege):
                    cursor.execute(f"SELECT {column} FROM {table}")
                continue
            cursor.execute(f"SELECT {column} FROM {table}")
            assert [row[0] for row in cursor.fetchall()] == [world.acme.tenant.id] * counts[table][0], table
            cursor.execute(f"SELECT FROM {table} WHERE {column} = %s", [world.globex.tenant.id])
            assert cursor.rowcount == 0, table


def test_updates_and_deletes_do_not_reach_globex(world: World, owner: Owner) -> None:
    theirs = world.globex.tenant.id
    for table in owner.tenant_tables:
        column, updatable = owner.tenant_column(table), owner.column(_UPDATABLE, table)
        with tenant_scope(world.acme.tenant.id):
            for name in updatable:
                assert execute(f"UPDATE {table} SET {name} = {name} WHERE {column} = %s", theirs) == 0, (table, name)
            if not updatable:
                with refused(InsufficientPrivilege):
                    execute(f"UPDATE {table} SET {column} = {column} WHERE {column} = %s", theirs)
            if app_may("DELETE", table, owner):
                assert execute(f"DELETE FROM {table} WHERE {column} = %s", theirs) == 0, table
            else:
                with refused(InsufficientPrivilege):
                    execute(f"DELETE FROM {table} WHERE {column} = %s", theirs)


def test_no_row_can_be_given_to_globex(world: World, owner: Owner) -> None:
    """A copy of acme's row under globex's tenant is refused, and so is moving the row itself."""
    ours, theirs = world.acme.tenant.id, world.globex.tenant.id
    for table in owner.tenant_tables:
        column = owner.tenant_column(table)
        (row,) = owner.column(f"SELECT to_jsonb(t)::text FROM {table} t WHERE {column} = %s LIMIT 1", ours)
        copy = f"""INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table},
            %s::jsonb || jsonb_build_object('id', gen_random_uuid()) || jsonb_build_object('{column}', %s::uuid))"""
        with tenant_scope(ours):
            with refused(InsufficientPrivilege):
                execute(copy, row, theirs)
            with refused(InsufficientPrivilege):
                execute(f"UPDATE {table} SET {column} = %s WHERE {column} = %s", theirs, ours)


def test_every_reference_of_the_models_is_a_foreign_key_with_the_tenant(owner: Owner) -> None:
    keys = {(table, columns[-1]): columns for _name, table, _to, columns in owner.connection.execute(_FOREIGN_KEYS)}
    references = [
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        if issubclass(model, TenantModel)
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey) and issubclass(field.related_model, TenantModel)
    ]
    assert len(references) >= 7
    assert {reference: keys.get(reference) for reference in references} == {
        (table, column): ["tenant_id", column] for table, column in references
    }


def another_of_globex(table: str, column: str, target: str, world: World, owner: Owner) -> UUID:
    """Return a row of globex to refer to; one that is not referred to yet, if there is one."""
    taken = f"EXISTS (SELECT FROM {table} AS r WHERE r.{column} = t.id)"
    statement = f"SELECT id FROM {target} AS t WHERE tenant_id = %s ORDER BY {taken}, id LIMIT 1"
    (found,) = owner.column(statement, world.globex.tenant.id)
    assert isinstance(found, UUID)
    return found


def test_no_foreign_key_can_point_at_globex(world: World, owner: Owner) -> None:
    """Not even the owner, whom no privilege and no policy holds back, can make acme's row refer to globex's."""
    for name, table, target, column in _references(owner):
        other = another_of_globex(table, column, target, world, owner)
        # One that refers already: there the rules of the table allow a reference.
        one_row = f"(SELECT id FROM {table} WHERE tenant_id = %s ORDER BY {column} IS NULL, id LIMIT 1)"
        statement = sql.SQL(f"UPDATE {table} SET {column} = %s WHERE id = {one_row}")
        # A row that can only be added is never moved: that it cannot be added so is the next test's.
        with (
            pytest.raises((ForeignKeyViolation, RestrictViolation)) as refusal,
            owner.connection.transaction(),
        ):
            owner.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            owner.connection.execute(statement, [other, world.acme.tenant.id])
        if isinstance(refusal.value, ForeignKeyViolation):
            assert refusal.value.diag.constraint_name == name
        else:
            assert str(refusal.value).startswith(f"{table} is append-only")


def test_a_row_of_acme_cannot_be_written_with_a_reference_to_globex(world: World, owner: Owner) -> None:
    """The same from inside acme's scope: what the role may write at all, it may not point over there."""
    for name, table, target, column in _references(owner):
        if not app_may("INSERT", table, owner):
            continue
        other = another_of_globex(table, column, target, world, owner)
        ours = world.acme.tenant.id
        first = f"SELECT to_jsonb(t) FROM {table} t WHERE tenant_id = %s ORDER BY {column} IS NULL, id LIMIT 1"
        (row,) = owner.column(first, ours)
        changed = {"id": str(new_id()), column: str(other), **dict.fromkeys(_NATURAL_KEYS & row.keys(), "another")}
        changed = {**_free(table, owner, ours), **changed}
        original = f"SELECT to_jsonb(t) FROM {table} t WHERE id = %s"
        copy = f"INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, ({original}) || %s::jsonb)"
        with tenant_scope(ours), refused(ForeignKeyViolation) as refusal:
            execute(copy, row["id"], json.dumps(changed))
        cause = refusal.value.__cause__
        assert isinstance(cause, psycopg.Error)
        assert cause.diag.constraint_name == name


def _free(table: str, owner: Owner, tenant_id: UUID) -> dict[str, str]:
    """Return the unique reference that a copy must change, lest a rule of uniqueness refuses it first."""
    if table not in _FREE:
        return {}
    column, statement = _FREE[table]
    return {column: str(owner.column(f"{statement} LIMIT 1", tenant_id)[0])}


def _references(owner: Owner) -> list[tuple[str, str, str, str]]:
    """Return (constraint, table, referenced table, column) of each foreign key but those to the tenant itself."""
    keys = owner.connection.execute(_FOREIGN_KEYS).fetchall()
    found = [(name, table, to, columns[-1]) for name, table, to, columns in keys if columns != ["tenant_id"]]
    assert len(found) >= 7
    return found
