"""Row-level security of the tenants room, by raw SQL, as each role."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from apps.core.scope import staff_scope, system_scope, tenant_scope
from apps.tenants.models import Invitation, Tenant
from tests.factories.tenants import make_api_key, make_invitation, make_member

TABLES = {
    "tenants_tenant": "id",
    "tenants_membership": "tenant_id",
    "tenants_apikey": "tenant_id",
    "tenants_invitation": "tenant_id",
}


@pytest.fixture
def populated(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex):
        make_member(tenant, f"{tenant.slug}-owner", "owner")
        make_api_key(tenant)
        make_invitation(tenant, "neo@example.com")


def tenants_in(table: str) -> set[object]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {TABLES[table]} FROM {table}")
        return {row[0] for row in cursor.fetchall()}


@contextmanager
def denied(reason: str) -> Iterator[None]:
    with pytest.raises(ProgrammingError, match=reason) as refusal, transaction.atomic():
        yield
    assert isinstance(refusal.value.__cause__, psycopg.errors.InsufficientPrivilege)


def execute(sql: str, *parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.rowcount


@pytest.mark.commits
@pytest.mark.parametrize("table", TABLES)
def test_without_a_scope_the_table_cannot_be_read(table: str) -> None:
    with denied("permission denied"):
        tenants_in(table)


@pytest.mark.worker_login
@pytest.mark.parametrize("table", ["tenants_membership", "tenants_apikey"])
def test_the_queues_role_has_no_business_with_members_and_keys(table: str) -> None:
    with denied("permission denied"), system_scope():
        tenants_in(table)


@pytest.mark.worker_login
def test_of_invitations_the_queues_role_sees_what_is_sealed_and_not_whom() -> None:
    with denied("permission denied"), system_scope():
        Invitation.objects.values_list("email").first()


@pytest.mark.usefixtures("populated")
@pytest.mark.parametrize("table", TABLES)
def test_a_scope_shows_its_tenant_alone(table: str, acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme.id):
        assert tenants_in(table) == {acme.id}
    with tenant_scope(globex.id):
        assert tenants_in(table) == {globex.id}
    with tenant_scope(uuid4()):
        assert tenants_in(table) == set()
    with staff_scope():
        assert tenants_in(table) == {acme.id, globex.id}


@pytest.mark.usefixtures("populated")
@pytest.mark.parametrize("table", ["tenants_membership", "tenants_apikey"])
def test_a_row_cannot_be_given_to_another_tenant(table: str, acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme.id):
        columns = (
            "role, name, email, user_id"
            if table == "tenants_membership"
            else ("name, mode, prefix, secret_hash, scopes, allowed_networks, created_by")
        )
        changed = columns.replace("secret_hash", "'\\x00'::bytea")
        with denied("row-level security"):
            execute(
                f"INSERT INTO {table} (id, tenant_id, version, created_at, updated_at, {columns}) "
                f"SELECT gen_random_uuid(), %s, 1, now(), now(), {changed} FROM {table} LIMIT 1",
                globex.id,
            )


def test_a_scope_creates_no_other_tenant_than_its_own(acme: Tenant) -> None:
    with tenant_scope(acme.id), denied("row-level security"):
        execute(
            "INSERT INTO tenants_tenant (id, slug, name, status, version, created_at, updated_at) "
            "VALUES (gen_random_uuid(), 'initech', 'Initech', 'active', 1, now(), now())"
        )


@pytest.mark.usefixtures("populated")
def test_another_tenants_rows_are_not_there_to_be_changed(acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme.id):
        assert execute("UPDATE tenants_apikey SET revoked_at = now() WHERE tenant_id = %s", globex.id) == 0
        assert execute("UPDATE tenants_tenant SET status = 'suspended' WHERE id = %s", globex.id) == 0


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tenants_apikey SET scopes = '{}'",
        "UPDATE tenants_apikey SET secret_hash = ''",
        "UPDATE tenants_apikey SET tenant_id = gen_random_uuid()",
        "UPDATE tenants_tenant SET slug = 'other'",
        "UPDATE tenants_membership SET user_id = gen_random_uuid()",
        "DELETE FROM tenants_tenant",
        "DELETE FROM tenants_apikey",
        "UPDATE tenants_invitation SET role = 'owner'",
        "UPDATE tenants_invitation SET email = 'eve@example.com'",
        "DELETE FROM tenants_invitation",
    ],
)
def test_a_scope_changes_only_what_services_change(sql: str, acme: Tenant) -> None:
    with tenant_scope(acme.id), denied("permission denied"):
        execute(sql)


@pytest.mark.parametrize("table", TABLES)
def test_staff_read_and_do_not_write(table: str) -> None:
    with staff_scope(), denied("permission denied"):
        execute(f"UPDATE {table} SET updated_at = now()")


def test_users_and_sessions_are_out_of_a_tenants_reach(acme: Tenant) -> None:
    for table in ("users_user", "users_session"):
        with tenant_scope(acme.id), denied("permission denied"):
            execute(f"SELECT FROM {table}")


def test_a_colleague_is_looked_up_in_a_tenants_scope_alone(acme: Tenant) -> None:
    call = "tenants_colleague(gen_random_uuid(), 'ada', '{owner}')"
    with tenant_scope(acme.id):
        assert execute(f"SELECT * FROM {call}") == 0
    with denied("permission denied"):
        execute(f"SELECT * FROM {call}")


@pytest.mark.parametrize(
    "call",
    [
        "tenants_api_key_principal('\\x00', NULL, now())",
        "tenants_session_principal(gen_random_uuid(), now())",
        "tenants_user_memberships(gen_random_uuid())",
        "tenants_invitation_tenant('\\x00')",
        "tenants_open_invitation('\\x00', now())",
    ],
)
def test_the_look_ups_serve_the_web_login_and_no_scope(call: str, acme: Tenant) -> None:
    assert execute(f"SELECT * FROM {call}") == 0
    for scope in (tenant_scope(acme.id), staff_scope()):
        with scope, denied("permission denied"):
            execute(f"SELECT * FROM {call}")
