"""The database itself, asked: is every table secured, every grant intended, every definer function listed?"""

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from apps.core.models import TenantModel
from apps.core.scope import tenant_scope
from apps.core.tenancy import DEFINER_FUNCTIONS, GLOBAL_TABLES

# Unique keys without the tenant in front, and why they tell nothing of another tenant.
UNIQUE_WITHOUT_TENANT = {
    "tenants_impersonation_one_open_per_staff": "staff begin them, and no client",
    "tenants_impersonation_token_hash_key": "the hash of a random token of ours",
    "providers_credentials_connection_id_key": "our UUID",
    "tenants_apikey_secret_hash_key": "the hash of a random secret of ours",
    "tenants_invitation_token_hash_key": "the hash of a random token of ours",
    "tenants_tenant_slug_key": "slugs are chosen by staff",
}


def _column(sql: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {row[0] for row in cursor.fetchall()}


def _tenant_tables() -> list[str]:
    """Every table that is not listed as global, straight from the catalogue."""
    tables = _column(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    return sorted(tables - set(GLOBAL_TABLES))


def test_every_table_is_tenant_scoped_or_listed_as_global() -> None:
    forced = _column("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
    assert set(_tenant_tables()) == forced


def test_the_global_list_names_only_tables_that_exist() -> None:
    assert set(GLOBAL_TABLES) <= _column("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")


def test_tenant_models_and_secured_tables_are_the_same() -> None:
    models = {m._meta.db_table for m in apps.get_models() if issubclass(m, TenantModel)}
    assert models <= set(_tenant_tables())


def test_the_application_role_sees_its_tenant_alone_on_every_table() -> None:
    assert _loose_policies("finops_app", "app.tenant_id") == set()
    assert _loose_policies("finops_impersonator", "app.tenant_id") == set()


def test_staff_limited_to_some_tenants_see_these_alone_on_every_table() -> None:
    # The insert is the installation's log: what they do themselves, such as signing in. They do not read it.
    assert _loose_policies("finops_staff_limited", "app.tenant_ids") == {"audit_entry.audit_entry_limited_staff_writes"}


def _loose_policies(role: str, setting: str) -> set[str]:
    """Return the policies of tenant tables that let the role through whatever the setting says."""
    policies = _column(
        f"""SELECT tablename || '.' || policyname FROM pg_policies
           WHERE '{role}' = ANY (roles) AND permissive = 'PERMISSIVE'
             AND (coalesce(qual, '') !~ '{setting}\\M' OR with_check !~ '{setting}\\M')"""
    )
    return {policy for policy in policies if policy.split(".")[0] not in GLOBAL_TABLES}


def test_policies_name_roles_and_never_the_public() -> None:
    assert _column("SELECT tablename FROM pg_policies WHERE 'public' = ANY (roles)") == set()


def test_login_roles_hold_no_privilege_on_tenant_tables() -> None:
    granted = _column(
        """SELECT table_name || ' to ' || grantee FROM information_schema.role_table_grants
           WHERE grantee IN ('finops_web', 'finops_worker', 'PUBLIC') AND table_schema = 'public'"""
    )
    assert {grant for grant in granted if grant.split(" to ")[0] not in GLOBAL_TABLES} == set()


def test_no_runtime_role_may_truncate_or_refer() -> None:
    granted = _column(
        """SELECT table_name || ' to ' || grantee FROM information_schema.role_table_grants
           WHERE grantee LIKE 'finops\\_%%' AND grantee <> 'finops_owner'
             AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')"""
    )
    assert granted == set()


def test_what_is_evidence_is_append_only_by_trigger_too() -> None:
    guarded = _column(
        "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgname IN (c.relname || '_append_only', c.relname || '_no_truncate') AND t.tgenabled = 'O'"
        " GROUP BY 1 HAVING count(*) = 2"
    )
    assert guarded == {
        *("audit_entry", "audit_tile", "audit_checkpoint", "audit_checkpointkey", "audit_batch_chunk"),
        *("orders_fill", "orders_orderevent", "orders_riskdecision"),
        *("outbox_event", "webhooks_deliveryattempt"),
    }


def test_definer_functions_are_the_listed_ones_with_a_fixed_search_path() -> None:
    definers = _column("SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace")
    assert definers == set(DEFINER_FUNCTIONS)
    unpinned = _column(
        """SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace
           AND NOT coalesce(proconfig::text, '') LIKE '%%search_path%%'"""
    )
    assert unpinned == set()
    public = _column(
        """SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace
           AND has_function_privilege('public', oid, 'EXECUTE')"""
    )
    assert public == set()


def test_foreign_keys_between_tenant_tables_carry_the_tenant() -> None:
    single = _column(
        """SELECT conrelid::regclass || '.' || conname FROM pg_constraint
           WHERE contype = 'f' AND cardinality(conkey) = 1
             AND (SELECT relforcerowsecurity FROM pg_class WHERE oid = conrelid)
             AND (SELECT relforcerowsecurity FROM pg_class WHERE oid = confrelid)
             AND confrelid <> 'tenants_tenant'::regclass"""
    )
    assert single == set()


def test_unique_keys_that_a_client_can_hit_lead_with_the_tenant() -> None:
    """Otherwise a violation would tell of another tenant's row."""
    unique = _column(
        """SELECT indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
           WHERE c.relforcerowsecurity AND i.indisunique AND NOT i.indisprimary
             AND (SELECT attname FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[0])
                 NOT IN ('tenant_id', 'id')"""
    )
    assert unique == set(UNIQUE_WITHOUT_TENANT)


@pytest.mark.commits
def test_raw_sql_without_a_scope_reaches_no_tenant_table() -> None:
    for table in _tenant_tables():
        with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")


@pytest.mark.commits
def test_the_application_role_without_a_tenant_sees_no_rows(acme) -> None:
    for table in _tenant_tables():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('role', 'finops_app', true)")
            cursor.execute("SELECT has_table_privilege(%s, 'SELECT')", [table])
            if cursor.fetchone()[0]:
                cursor.execute(f"SELECT count(*) FROM {table}")
                assert cursor.fetchone()[0] == 0, table


@pytest.mark.commits
def test_a_scope_leaves_nothing_behind_on_the_connection(acme) -> None:
    with tenant_scope(acme.id):
        pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, coalesce(current_setting('app.tenant_id', true), '')")
        assert cursor.fetchone() == ("finops_web", "")
