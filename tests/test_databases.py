"""The database that the committing tests share is, at the beginning of each, what the template is."""

from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
from django.db import connection

from tests import databases
from tests.factories.audit import make_entry
from tests.factories.tenants import make_tenant

pytestmark = pytest.mark.no_database


@pytest.fixture(scope="module")
def shared() -> Iterator[databases.EmptiedDatabase]:
    with databases.EmptiedDatabase() as database:
        yield database


@pytest.fixture(scope="module")
def clone() -> Iterator[str]:
    with databases.cloned_database() as name:
        yield name


def content_of(name: str) -> dict[str, object]:
    """Return every row of every table, and where the sequences stand."""
    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    with databases.as_owner(name) as owner:
        content: dict[str, object] = {
            table: sorted(owner.execute(f"SELECT t::text FROM {table} t").fetchall())
            for (table,) in owner.execute(tables).fetchall()
        }
        content["sequences"] = owner.execute("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1").fetchall()
        return content


def test_rows_sequences_and_sessions_are_gone(
    shared: databases.EmptiedDatabase, clone: str, django_db_blocker: pytest.FixtureDef
) -> None:
    name = shared.take()
    assert content_of(name) == content_of(clone)
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        databases.log_in("web", name)
        make_entry(make_tenant("acme").id)  # rows that refer to each other, and rows that are only ever added
        connection.close()
    with databases.as_owner(name) as left_open:
        left_open.execute("CREATE TEMPORARY TABLE staged (n int)")
        assert content_of(name) != content_of(clone)

        assert shared.take() == name

        assert content_of(name) == content_of(clone)
        with pytest.raises(psycopg.OperationalError):
            left_open.execute("SELECT 1")


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE extra (n int)",
        "DROP POLICY audit_entry_finops_app ON audit_entry",
        "ALTER TABLE outbox_event DISABLE TRIGGER outbox_event_append_only",
        "GRANT SELECT (name) ON tenants_tenant TO finops_web",
        "ANALYZE tenants_tenant",
        "UPDATE django_content_type SET model = model || 'x' WHERE id = 1",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = 1000', current_database()); END $$",
    ],
)
def test_after_any_other_change_there_is_a_new_one(shared: databases.EmptiedDatabase, change: LiteralString) -> None:
    name = shared.take()
    with databases.as_owner(name) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute(change)
    assert shared.take() != name
