"""`database.*`: whatever in the database is not as the code declares it is found, and what is, is proved."""

import pytest

from apps.core.drift import declared, roles
from tests.tampering import found, looked_at, raw_tables

pytestmark = pytest.mark.worker_login

LOOKED_AT = {
    "constraints": 900,
    "functions": 15,
    "grants": 300,
    "policies": 200,
    "roles": 18,
    "tables": 60,
    "triggers": 200,
}


def drifted(check: str, *statements: str) -> list[tuple[str, str, str, str]]:
    """Change the database as its owner; return what a check finds."""
    with raw_tables() as owner:
        for statement in statements:
            owner.execute(statement)
    return found(f"database.{check}")


def test_a_fresh_database_is_as_it_was_declared() -> None:
    for check, least in LOOKED_AT.items():
        assert looked_at(f"database.{check}") >= least, check


def test_row_security_that_is_off_and_what_is_no_table_of_ours() -> None:
    assert drifted(
        "tables",
        "ALTER TABLE orders_order NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE orders_fill DISABLE ROW LEVEL SECURITY",
        "CREATE VIEW everything AS SELECT * FROM orders_order",
        "CREATE RULE unseen AS ON UPDATE TO jobs_job DO ALSO NOTHING",
        "CREATE TABLE spare (id int)",
    ) == [
        ("everything", "view", "nothing", "row security off, owned by finops_owner, 1 rules"),
        *_security("jobs_job", "enabled and forced", ", 1 rules"),
        *_security("orders_fill", "forced"),
        *_security("orders_order", "enabled"),
        ("spare", "table", "nothing", "row security off, owned by finops_owner"),
    ]


def _security(table: str, found: str, more: str = "") -> list[tuple[str, str, str, str]]:
    expected = "row security enabled and forced, owned by finops_owner"
    return [(table, "table", expected, f"row security {found}, owned by finops_owner{more}")]


def test_a_grant_too_many_and_one_too_few() -> None:
    assert drifted(
        "grants",
        "GRANT DELETE ON orders_fill TO finops_app",
        "GRANT UPDATE (amount) ON accounts_transaction TO finops_staff",
        "GRANT SELECT ON jobs_job TO PUBLIC",
        "REVOKE SELECT ON market_quote FROM finops_app",
        "GRANT EXECUTE ON FUNCTION tenants_colleague TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO finops_web",
    ) == [
        ("accounts_transaction", "finops_staff", "SELECT", "SELECT, UPDATE (amount)"),
        ("jobs_job", "PUBLIC", "nothing", "SELECT"),
        ("market_quote", "finops_app", "SELECT", "nothing"),
        ("orders_fill", "finops_app", "INSERT, SELECT", "DELETE, INSERT, SELECT"),
        ("public", "finops_web", "nothing", "SELECT"),
        ("tenants_colleague", "PUBLIC", "nothing", "EXECUTE"),
    ]


def test_a_policy_that_is_missing_or_another_or_one_too_many() -> None:
    theirs = "tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid"
    findings = drifted(
        "policies",
        "DROP POLICY orders_fill_finops_app ON orders_fill",
        "ALTER POLICY orders_order_finops_app ON orders_order USING (true)",
        f"ALTER POLICY jobs_job_finops_app ON jobs_job WITH CHECK (({theirs}) OR kind = 'x')",
        "ALTER POLICY jobs_job_finops_system ON jobs_job TO finops_system, finops_web",
        "CREATE POLICY more ON orders_position TO finops_app USING (true)",
        # The same in other words.
        f"ALTER POLICY orders_position_finops_app ON orders_position USING (( ({theirs}) ))",
    )
    assert [(table, name) for table, name, _expected, _found in findings] == [
        ("jobs_job", "jobs_job_finops_system"),
        ("orders_fill", "orders_fill_finops_app"),
        ("orders_position", "more"),
        ("jobs_job", "jobs_job_finops_app WITH CHECK"),
        ("orders_order", "orders_order_finops_app USING"),
    ]
    assert findings[1][2:] == ("permissive for ALL to finops_app", "nothing")
    assert findings[4][2:] == (theirs, "true")


def test_a_trigger_that_is_disabled_dropped_or_new() -> None:
    assert drifted(
        "triggers",
        "ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_append_only",
        "DROP TRIGGER orders_fill_no_truncate ON orders_fill",
        """CREATE TRIGGER more BEFORE INSERT OR UPDATE ON jobs_job FOR EACH ROW
           EXECUTE FUNCTION orders_fill_append_only()""",
    ) == [
        (
            "audit_entry",
            "audit_entry_append_only",
            "BEFORE DELETE OR UPDATE FOR EACH ROW EXECUTE FUNCTION audit_entry_append_only(), enabled",
            "BEFORE DELETE OR UPDATE FOR EACH ROW EXECUTE FUNCTION audit_entry_append_only(), disabled",
        ),
        (
            "jobs_job",
            "more",
            "nothing",
            "BEFORE INSERT OR UPDATE FOR EACH ROW EXECUTE FUNCTION orders_fill_append_only(), enabled",
        ),
        (
            "orders_fill",
            "orders_fill_no_truncate",
            "BEFORE TRUNCATE FOR EACH STATEMENT EXECUTE FUNCTION orders_fill_no_truncate(), enabled",
            "nothing",
        ),
    ]


def test_a_function_whose_body_or_path_is_another() -> None:
    findings = drifted(
        "functions",
        """CREATE OR REPLACE FUNCTION audit_entry_append_only() RETURNS trigger LANGUAGE plpgsql
           AS 'BEGIN RETURN NEW; END'""",
        "ALTER FUNCTION tenants_colleague RESET search_path",
        "CREATE FUNCTION more() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
    )
    assert [name for _table, name, _expected, _found in findings] == [
        "audit_entry_append_only",
        "more",
        "tenants_colleague",
    ]
    told = "plpgsql, as who calls it, search path not set, body BEGIN RETURN NEW; END, owned by finops_owner"
    assert (findings[0][3], findings[1][2]) == (told, "nothing")
    assert "search path not set" in findings[2][3]


def test_a_column_a_constraint_an_index_or_a_migration_that_is_missing() -> None:
    assert drifted(
        "constraints",
        "ALTER TABLE orders_order DROP CONSTRAINT orders_order_quantity_positive",
        "ALTER TABLE orders_fill DROP CONSTRAINT orders_fill_order",
        "ALTER TABLE orders_fill ADD CONSTRAINT orders_fill_order FOREIGN KEY (tenant_id, order_id)"
        " REFERENCES orders_order (tenant_id, id) NOT VALID",
        "DROP INDEX jobs_job_due",
        "ALTER TABLE jobs_job ALTER COLUMN kind DROP NOT NULL",
        "ALTER TABLE jobs_job DROP COLUMN traceparent",
        "ALTER TABLE users_session DROP CONSTRAINT " + _key_of("users_session"),
        "DELETE FROM django_migrations WHERE app = 'webhooks'",
    ) == [
        ("django_migrations", "webhooks.0001_initial", "applied", "nothing"),
        ("jobs_job", "kind", "character varying(80), always filled", "character varying(80), may be empty"),
        ("jobs_job", "traceparent", "character varying(55), always filled", "nothing"),
        ("jobs_job", "jobs_job_due", "index, valid", "nothing"),
        ("orders_fill", "orders_fill_order", f"{_TO_ORDER} DEFERRABLE, valid", f"{_TO_ORDER}, not valid"),
        ("orders_order", "orders_order_quantity_positive", "check, valid", "nothing"),
        ("users_session", "user_id", "a foreign key", "no foreign key"),
    ]


_TO_ORDER = "FOREIGN KEY (tenant_id, order_id) REFERENCES orders_order(tenant_id, id)"


def test_what_is_weaker_under_the_same_name() -> None:
    findings = drifted(
        "constraints",
        "ALTER TABLE orders_order DROP CONSTRAINT orders_order_quantity_positive",
        "ALTER TABLE orders_order ADD CONSTRAINT orders_order_quantity_positive CHECK (quantity > -1)",
        "ALTER TABLE orders_fill DROP CONSTRAINT orders_fill_order",
        "ALTER TABLE orders_fill ADD CONSTRAINT orders_fill_order FOREIGN KEY (order_id) REFERENCES orders_order (id)",
        "ALTER TABLE idempotency_record DROP CONSTRAINT idempotency_record_tenant_key",
        "CREATE INDEX idempotency_record_tenant_key ON idempotency_record (tenant_id, key)",
        "DROP INDEX jobs_job_one_active_per_key",
        "CREATE UNIQUE INDEX jobs_job_one_active_per_key ON jobs_job (tenant_id, kind, unique_key)"
        " WHERE state = 'queued' AND unique_key <> ''",
        "ALTER TABLE outbox_counter DROP CONSTRAINT outbox_outboxcounter_one_per_tenant",
        "ALTER TABLE audit_checkpoint ALTER COLUMN size TYPE double precision",
        f"ALTER TABLE jobs_queue DROP CONSTRAINT {_key_of('jobs_queue', 'u')}",
    )
    not_composite = "FOREIGN KEY (order_id) REFERENCES orders_order(id), valid"
    # The server's own words for the two conditions are another matter: they differ by version.
    assert [finding[:3] if finding[1].endswith("condition") else finding for finding in findings] == [
        ("audit_checkpoint", "size", "bigint, always filled", "double precision, always filled"),
        ("idempotency_record", "idempotency_record_tenant_key", "unique (tenant_id, key), valid", "index, valid"),
        ("orders_fill", "orders_fill_order", f"{_TO_ORDER} DEFERRABLE, valid", not_composite),
        ("outbox_counter", "outbox_outboxcounter_one_per_tenant", "unique (tenant_id), nulls too, valid", "nothing"),
        (
            "jobs_job",
            "jobs_job_one_active_per_key condition",
            """(NOT ("unique_key" = '') AND "state" IN ('queued', 'leased'))""",
        ),
        ("orders_order", "orders_order_quantity_positive condition", '"quantity" > 0'),
        ("jobs_queue", "unique (name)", "a key", "no key"),
    ]


def _key_of(table: str, kind: str = "f") -> str:
    with raw_tables() as owner:
        query = "SELECT conname FROM pg_constraint WHERE contype = %s AND conrelid = %s::regclass"
        [[name]] = owner.execute(query, [kind, table]).fetchall()
        return str(name)


@pytest.mark.no_database
def test_a_role_that_bypasses_the_policies_or_becomes_another() -> None:
    rows = [{"name": "finops_app", "logs in": False, "superuser": False, "bypasses row security": True}]
    memberships = [{"member": "finops_web", "role": "finops_system", "inherits": True, "administers": False}]
    settings = [{"role": "finops_web", "setting": "row_security=off"}]
    actual = roles._actual(rows, memberships, settings)
    assert actual == {
        ("pg_roles", "finops_app"): "bypasses row security",
        ("pg_auth_members", "finops_web becomes finops_system"): "it may without asking",
        ("pg_db_role_setting", "finops_web"): "row_security=off",
    }
    expected = roles._declared()
    assert expected["pg_roles", "finops_app"] == "no powers"
    assert ("pg_auth_members", "finops_web becomes finops_system") not in expected


def test_a_setting_with_which_a_role_would_begin_is_found(database: str) -> None:
    setting = f"ALTER ROLE finops_owner IN DATABASE {database} SET search_path = public"
    assert drifted("roles", setting) == [("pg_db_role_setting", "finops_owner", "nothing", "search_path=public")]


@pytest.mark.no_database
def test_a_statement_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not understood: GRANT finops_staff TO finops_web"):
        declared.Protection().replay("GRANT finops_staff TO finops_web")


@pytest.mark.no_database
def test_what_is_revoked_is_not_granted() -> None:
    protection = declared.Protection()
    for statement in (
        "GRANT SELECT, UPDATE (a, b) ON things TO finops_app, finops_staff",
        "REVOKE ALL ON things FROM finops_staff",
        "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS $body$ SELECT 1 $body$",
        "REVOKE ALL ON FUNCTION f(x int) FROM PUBLIC",
    ):
        protection.replay(statement)
    assert protection.grants == {
        ("table", "things", "SELECT", "finops_app"),
        ("table", "things.a", "UPDATE", "finops_app"),
        ("table", "things.b", "UPDATE", "finops_app"),
    }
