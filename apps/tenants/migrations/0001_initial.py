"""Tenants, memberships and API keys under row-level security, and the look-ups that work without a tenant."""

import datetime

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models

import apps.core.db
import apps.core.db.ids
from apps.core.db import DefinerFunction, SecureTenantTable

# What an API key may do, or why it is refused. Its last use is written at most once a minute: an update for
# every request would make each key a hot row.
API_KEY_PRINCIPAL = """
#variable_conflict use_column
DECLARE
    known record;
BEGIN
    SELECT k.id, k.name, k.mode, k.scopes, k.last_used_at, k.tenant_id, t.slug, t.name AS tenant_name,
        t.tenant_rate, t.key_rate,
        CASE
            WHEN k.revoked_at IS NOT NULL THEN 'revoked'
            WHEN k.expires_at <= at THEN 'expired'
            WHEN cardinality(k.allowed_networks) > 0
                AND (address <<= ANY (k.allowed_networks::cidr[])) IS NOT TRUE THEN 'address'
            WHEN t.status <> 'active' THEN 'suspended'
            ELSE ''
        END AS refusal
    INTO known
    FROM tenants_apikey k JOIN tenants_tenant t ON t.id = k.tenant_id
    WHERE k.secret_hash = secret;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF known.refusal = '' AND (known.last_used_at IS NULL OR known.last_used_at <= at - interval '1 minute') THEN
        UPDATE tenants_apikey k SET last_used_at = at
        WHERE k.id = known.id AND k.last_used_at IS NOT DISTINCT FROM known.last_used_at;
    END IF;
    RETURN QUERY SELECT known.refusal, known.tenant_id, known.slug::text, known.tenant_name::text, known.id,
        known.name::text, known.mode::text, known.scopes::text[], known.tenant_rate, known.key_rate;
END
"""

SESSION_PRINCIPAL = """
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT CASE WHEN t.status <> 'active' THEN 'suspended' ELSE '' END,
        t.id, t.slug::text, t.name::text, u.id, u.username::text, m.role::text, t.tenant_rate,
        r.permissions::text[], r.conditions::text,
        s.proved_at,
        t.require_mfa AND NOT EXISTS (SELECT FROM users_authenticator a WHERE a.user_id = u.id AND a.confirmed)
            AND NOT EXISTS (SELECT FROM users_passkey p WHERE p.user_id = u.id AND p.confirmed),
        (SELECT json_agg(json_build_array(g.permission, g.account_id, g.connection_id, CASE
             WHEN g.connection_id IS NOT NULL THEN ARRAY(
                 SELECT a.id FROM accounts_account a
                 WHERE a.tenant_id = g.tenant_id AND a.connection_id = g.connection_id)
         END))::text
         FROM accounts_objectgrant g WHERE g.tenant_id = m.tenant_id AND g.member_id = m.id)
    FROM users_session s
    JOIN users_user u ON u.id = s.user_id AND u.is_active
    JOIN tenants_membership m ON m.tenant_id = s.tenant_id AND m.user_id = s.user_id
    JOIN tenants_tenant t ON t.id = s.tenant_id
    LEFT JOIN tenants_tenantrole r ON r.tenant_id = m.tenant_id AND r.id = m.tenant_role_id
    WHERE s.id = session AND s.revoked_at IS NULL AND s.expires_at > at;
END
"""

USER_MEMBERSHIPS = """
SELECT t.id, t.slug::text, t.status::text, m.role::text
FROM tenants_membership m JOIN tenants_tenant t ON t.id = m.tenant_id
WHERE m.user_id = member
ORDER BY t.slug
"""

# Nobody learns of a name that they could not have read in a tenant whose members they handle.
COLLEAGUE = """
SELECT u.id, coalesce(nullif(u.display_name, ''), u.username)::text, u.email::text
FROM users_user u
WHERE u.username = named AND u.is_active AND EXISTS (
    SELECT FROM tenants_membership mine JOIN tenants_membership theirs ON theirs.tenant_id = mine.tenant_id
    LEFT JOIN tenants_tenantrole r ON r.tenant_id = mine.tenant_id AND r.id = mine.tenant_role_id
    WHERE mine.user_id = asker AND theirs.user_id = u.id AND (mine.role = ANY (roles)
        OR 'members:write' = ANY (r.permissions) AND NOT r.conditions ? 'members:write'))
"""

OPEN_INVITATION = """
SELECT i.id, i.email::text, t.id, t.slug::text, t.name::text, t.status::text
FROM tenants_invitation i JOIN tenants_tenant t ON t.id = i.tenant_id
WHERE i.token_hash = token AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > at
"""

# Where the answers are kept that whoever accepts got, also once the token is used.
INVITATION_TENANT = """
SELECT i.tenant_id FROM tenants_invitation i WHERE i.token_hash = token
"""

# Whom a live impersonation shows the tenant as: by its token, or by the staff user. Both users, the membership and
# the tenant are asked for each time, so that it ends with any of them.
IMPERSONATION_PRINCIPAL = """
SELECT i.id, t.id, t.slug::text, t.name::text, t.tenant_rate, i.user_id, i.member_name::text, m.role::text,
    r.permissions::text[], r.conditions::text, i.staff_id, i.staff_name::text, i.started_at, i.expires_at
FROM tenants_impersonation i
JOIN users_user s ON s.id = i.staff_id AND s.is_active AND s.is_staff
JOIN users_user u ON u.id = i.user_id AND u.is_active AND NOT u.is_staff
JOIN tenants_membership m ON m.tenant_id = i.tenant_id AND m.user_id = i.user_id
JOIN tenants_tenant t ON t.id = i.tenant_id AND t.status = 'active'
LEFT JOIN tenants_tenantrole r ON r.tenant_id = m.tenant_id AND r.id = m.tenant_role_id
WHERE (i.token_hash = token OR i.staff_id = staff) AND i.ended_at IS NULL AND i.expires_at > at
"""

# The one thing that is written under an impersonation: that somebody looked. It takes no other leaf.
RECORD_LOOK = """
DECLARE
    leaf audit_entry := jsonb_populate_record(NULL::audit_entry, entry);
    seen tenants_impersonation;
BEGIN
    SELECT * INTO seen FROM tenants_impersonation
    WHERE id::text = leaf.target_id AND tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid;
    IF seen.tenant_id IS DISTINCT FROM leaf.tenant_id OR seen.id IS NULL
        OR leaf.action <> 'impersonation.looked' OR leaf.target_type <> 'impersonation'
        OR leaf.actor ->> 'user_id' IS DISTINCT FROM seen.user_id::text
        OR leaf.actor ->> 'impersonator_id' IS DISTINCT FROM seen.staff_id::text
        OR leaf.at NOT BETWEEN seen.started_at AND coalesce(seen.ended_at, seen.expires_at) + interval '1 minute'
    THEN
        RAISE EXCEPTION 'no look of a live impersonation' USING ERRCODE = 'insufficient_privilege';
    END IF;
    leaf.position := nextval('audit_entry_position');
    leaf.sequence := NULL;
    INSERT INTO audit_entry SELECT leaf.*;
    UPDATE tenants_impersonation SET looks = looks + 1, looked_at = leaf.at WHERE id = seen.id;
END
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("users", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("slug", models.CharField(max_length=32, unique=True, validators=[django.core.validators.RegexValidator("^[a-z0-9]+(-[a-z0-9]+)*\\Z", "Use lower-case letters, digits and single hyphens.")], verbose_name="slug")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("status", models.CharField(choices=[("active", "Active"), ("suspended", "Suspended")], default="active", max_length=16, verbose_name="status")),
                ("plan", models.CharField(choices=[("free", "Free"), ("standard", "Standard"), ("enterprise", "Enterprise")], default="standard", max_length=16, verbose_name="plan")),
                ("limit_overrides", models.JSONField(blank=True, default=dict, verbose_name="limits of its own")),
                ("require_mfa", models.BooleanField(default=False, verbose_name="second factor required")),
                ("tenant_rate", django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), blank=True, null=True, size=3, verbose_name="requests of the tenant")),
                ("key_rate", django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), blank=True, null=True, size=3, verbose_name="requests of an API key")),
            ],
            options={
                "verbose_name": "tenant",
                "verbose_name_plural": "tenants",
                "permissions": [
                    ("operate_tenant", "Can see and act upon tenants"),
                    ("grant_tenant", "Can grant tenants to staff"),
                ],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("status__in", ["active", "suspended"])), name="tenants_tenant_status"),
                    models.CheckConstraint(condition=models.Q(("plan__in", ["free", "standard", "enterprise"])), name="tenants_tenant_plan"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TenantRole",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("slug", models.CharField(max_length=32, validators=[django.core.validators.RegexValidator("^[a-z0-9]+(-[a-z0-9]+)*\\Z", "Use lower-case letters, digits and single hyphens.")], verbose_name="slug")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("permissions", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None, verbose_name="permissions")),
                ("conditions", models.JSONField(blank=True, default=dict, verbose_name="conditions")),
            ],
            options={
                "verbose_name": "role",
                "verbose_name_plural": "roles",
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="tenants_tenantrole_tenant_id_id"),
                    models.UniqueConstraint(fields=("tenant_id", "slug"), name="tenants_tenantrole_slug"),
                    models.CheckConstraint(condition=models.Q(("slug__in", ["owner", "admin", "trader", "analyst", "viewer", "billing"]), _negated=True), name="tenants_tenantrole_not_built_in"),
                    apps.core.db.TenantForeignKey(field="tenant_id", name="tenants_tenantrole_tenant", to="tenants.Tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(editable=False)),
                ("day", models.DateField(verbose_name="day")),
                ("requests", models.BigIntegerField(verbose_name="requests")),
            ],
            options={
                "verbose_name": "requests of a day",
                "verbose_name_plural": "requests by day",
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="tenants_requestcount_tenant_id_id"),
                    models.UniqueConstraint(fields=("tenant_id", "day"), name="tenants_requestcount_day"),
                    apps.core.db.TenantForeignKey(field="tenant_id", name="tenants_requestcount_tenant", to="tenants.Tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("role", models.CharField(choices=[("owner", "Owner"), ("admin", "Admin"), ("trader", "Trader"), ("analyst", "Analyst"), ("viewer", "Viewer"), ("billing", "Billing")], max_length=32, verbose_name="role")),
                ("tenant_role", models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="members", to="tenants.tenantrole", verbose_name="role of the tenant's own")),
                ("name", models.CharField(max_length=150, verbose_name="name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="memberships", to=settings.AUTH_USER_MODEL, verbose_name="user")),
            ],
            options={
                "verbose_name": "member",
                "verbose_name_plural": "members",
                "permissions": [("impersonate_membership", "Can look at a tenant as a member sees it")],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="tenants_membership_tenant_id_id"),
                    models.UniqueConstraint(fields=("tenant_id", "user"), name="tenants_membership_one_per_user"),
                    models.CheckConstraint(condition=models.Q(models.Q(("role__in", ["owner", "admin", "trader", "analyst", "viewer", "billing"]), ("tenant_role__isnull", True)), models.Q(models.Q(("role__in", ["owner", "admin", "trader", "analyst", "viewer", "billing"]), _negated=True), ("tenant_role__isnull", False)), _connector="OR"), name="tenants_membership_role"),
                    apps.core.db.TenantForeignKey(field="tenant_role", name="tenants_membership_tenant_role", to="tenants.TenantRole"),
                    apps.core.db.TenantForeignKey(field="tenant_id", name="tenants_membership_tenant", to="tenants.Tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("mode", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4, verbose_name="mode")),
                ("prefix", models.CharField(editable=False, max_length=20, verbose_name="prefix")),
                ("secret_hash", models.BinaryField(max_length=32, unique=True)),
                ("scopes", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), size=None, verbose_name="scopes")),
                ("allowed_networks", django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list, size=None, verbose_name="allowed networks")),
                ("expires_at", models.DateTimeField(blank=True, null=True, verbose_name="expires at")),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last used at")),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="revoked at")),
                ("replaced_by", models.UUIDField(blank=True, editable=False, null=True, verbose_name="replaced by")),
                ("created_by", models.CharField(editable=False, max_length=200, verbose_name="created by")),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="tenants_apikey_tenant_id_id"),
                    models.CheckConstraint(condition=models.Q(("mode__in", ["live", "test"])), name="tenants_apikey_mode"),
                    apps.core.db.TenantForeignKey(field="tenant_id", name="tenants_apikey_tenant", to="tenants.Tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                ("email", models.EmailField(max_length=254, verbose_name="email address")),
                ("role", models.CharField(choices=[("owner", "Owner"), ("admin", "Admin"), ("trader", "Trader"), ("analyst", "Analyst"), ("viewer", "Viewer"), ("billing", "Billing")], max_length=32, verbose_name="role")),
                ("tenant_role", models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="invitations", to="tenants.tenantrole", verbose_name="role of the tenant's own")),
                ("token_hash", models.BinaryField(max_length=32, unique=True)),
                ("sealed_token", models.BinaryField(max_length=200, null=True)),
                ("invited_by", models.CharField(editable=False, max_length=200, verbose_name="invited by")),
                ("expires_at", models.DateTimeField(verbose_name="expires at")),
                ("sent_at", models.DateTimeField(blank=True, null=True, verbose_name="sent at")),
                ("letters", models.PositiveIntegerField(default=0, editable=False, verbose_name="letters")),
                ("accepted_at", models.DateTimeField(blank=True, null=True, verbose_name="accepted at")),
                ("revoked_at", models.DateTimeField(blank=True, null=True, verbose_name="revoked at")),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="tenants_invitation_tenant_id_id"),
                    models.UniqueConstraint(models.F("tenant_id"), django.db.models.functions.text.Lower("email"), condition=models.Q(("accepted_at__isnull", True), ("revoked_at__isnull", True)), name="tenants_invitation_one_open_per_address"),
                    models.CheckConstraint(condition=models.Q(models.Q(("role__in", ["owner", "admin", "trader", "analyst", "viewer", "billing"]), ("tenant_role__isnull", True)), models.Q(models.Q(("role__in", ["owner", "admin", "trader", "analyst", "viewer", "billing"]), _negated=True), ("tenant_role__isnull", False)), models.Q(("accepted_at__isnull", False), ("tenant_role__isnull", True)), models.Q(("revoked_at__isnull", False), ("tenant_role__isnull", True)), _connector="OR"), name="tenants_invitation_role"),
                    apps.core.db.TenantForeignKey(field="tenant_role", name="tenants_invitation_tenant_role", to="tenants.TenantRole"),
                    apps.core.db.TenantForeignKey(field="tenant_id", name="tenants_invitation_tenant", to="tenants.Tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Impersonation",
            fields=[
                ("id", models.UUIDField(default=apps.core.db.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("tenant_id", models.UUIDField(editable=False)),
                ("staff_name", models.CharField(editable=False, max_length=150, verbose_name="by")),
                ("member_name", models.CharField(editable=False, max_length=150, verbose_name="as")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                ("ticket", models.CharField(max_length=100, verbose_name="ticket")),
                ("started_at", models.DateTimeField(editable=False, verbose_name="started at")),
                ("expires_at", models.DateTimeField(editable=False, verbose_name="expires at")),
                ("token_hash", models.BinaryField(max_length=32, null=True, unique=True)),
                ("looks", models.PositiveIntegerField(default=0, editable=False, verbose_name="looks")),
                ("looked_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="last look")),
                ("ended_at", models.DateTimeField(blank=True, editable=False, null=True, verbose_name="ended at")),
                ("ending", models.CharField(blank=True, choices=[("expired", "Its time was over"), ("ended", "Ended by who began it"), ("stopped", "Stopped by somebody else"), ("signed_out", "Who began it has signed out"), ("staff_left", "Who began it may not do it any more"), ("member_left", "The member was removed or deactivated"), ("tenant_suspended", "The tenant was suspended")], editable=False, max_length=16, verbose_name="ending")),
                ("ended_by", models.CharField(blank=True, editable=False, max_length=150, verbose_name="ended by")),
                ("end_reason", models.CharField(blank=True, editable=False, max_length=500, verbose_name="reason of the end")),
                ("staff", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="staff user")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="member")),
            ],
            options={
                "verbose_name": "impersonation",
                "verbose_name_plural": "impersonations",
                "permissions": [("end_impersonation", "Can end the impersonations of others")],
                "abstract": False,
                "constraints": [
                    models.UniqueConstraint(fields=("tenant_id", "id"), name="tenants_impersonation_tenant_id_id"),
                    models.UniqueConstraint(condition=models.Q(("ended_at__isnull", True)), fields=("staff",), name="tenants_impersonation_one_open_per_staff"),
                    models.CheckConstraint(condition=models.Q(("expires_at__lte", django.db.models.expressions.CombinedExpression(models.F("started_at"), "+", models.Value(datetime.timedelta(seconds=900))))), name="tenants_impersonation_short"),
                    models.CheckConstraint(condition=models.Q(("staff", models.F("user")), _negated=True), name="tenants_impersonation_of_somebody_else"),
                    models.CheckConstraint(condition=models.Q(models.Q(("reason", ""), _negated=True), models.Q(("ticket", ""), _negated=True)), name="tenants_impersonation_explained"),
                    models.CheckConstraint(condition=models.Q(models.Q(("ended_at__isnull", True), ("ending", "")), models.Q(("ended_at__isnull", False), ("ending__in", ["expired", "ended", "stopped", "signed_out", "staff_left", "member_left", "tenant_suspended"])), _connector="OR"), name="tenants_impersonation_ending"),
                    apps.core.db.TenantForeignKey(field="tenant_id", name="tenants_impersonation_tenant", to="tenants.Tenant"),
                ],
            },
        ),
        # A tenant's own scope creates it: its row must carry the scope's tenant like every other row.
        SecureTenantTable(
            "tenants_tenant",
            app="SELECT, INSERT, UPDATE (name, status, plan, limit_overrides, require_mfa, tenant_rate, key_rate, version, updated_at)",
            staff="SELECT",
            system="SELECT",
            column="id",
        ),
        SecureTenantTable(
            "tenants_requestcount", app="SELECT", staff="SELECT", system="SELECT, INSERT, UPDATE (requests)"
        ),
        SecureTenantTable(
            "tenants_tenantrole",
            app="SELECT, INSERT, UPDATE (name, permissions, conditions, version, updated_at), DELETE",
            staff="SELECT",
        ),
        SecureTenantTable(
            "tenants_membership",
            app="SELECT, INSERT, UPDATE (role, tenant_role_id, version, updated_at), DELETE",
            staff="SELECT",
        ),
        SecureTenantTable(
            "tenants_invitation",
            app="SELECT, INSERT, UPDATE (tenant_role_id, token_hash, sealed_token, expires_at, sent_at, letters, accepted_at, revoked_at, "
            "version, updated_at)",
            staff="SELECT",
            # To find the letters that are sealed under an old key.
            system="SELECT (id, tenant_id, sealed_token)",
        ),
        SecureTenantTable("tenants_apikey", app="SELECT, INSERT, UPDATE (expires_at, revoked_at, replaced_by, version, updated_at)", staff="SELECT"),
        # Looks are counted by the function that records them.
        SecureTenantTable(
            "tenants_impersonation",
            app="SELECT, INSERT, UPDATE (token_hash, ended_at, ending, ended_by, end_reason)",
            staff="SELECT",
            system="SELECT",
        ),
        DefinerFunction(
            "tenants_impersonation_principal(token bytea, staff uuid, at timestamptz)",
            "TABLE (impersonation_id uuid, tenant_id uuid, tenant_slug text, tenant_name text, tenant_rate int[], user_id uuid, "
            "member_name text, role text, permissions text[], conditions text, staff_id uuid, staff_name text, started_at timestamptz, expires_at timestamptz)",
            IMPERSONATION_PRINCIPAL,
            roles=["finops_web", "finops_worker"],
        ),
        DefinerFunction(
            "tenants_record_look(entry jsonb)",
            "void",
            RECORD_LOOK,
            roles=["finops_impersonator"],
            language="plpgsql",
            volatility="VOLATILE",
        ),
        DefinerFunction(
            "tenants_api_key_principal(secret bytea, address inet, at timestamptz)",
            "TABLE (refusal text, tenant_id uuid, tenant_slug text, tenant_name text, api_key_id uuid, label text, "
            "mode text, scopes text[], tenant_rate int[], key_rate int[])",
            API_KEY_PRINCIPAL,
            roles=["finops_web"],
            language="plpgsql",
            volatility="VOLATILE",
        ),
        DefinerFunction(
            "tenants_session_principal(session uuid, at timestamptz)",
            "TABLE (refusal text, tenant_id uuid, tenant_slug text, tenant_name text, user_id uuid, label text, role text, "
            "tenant_rate int[], permissions text[], conditions text, proved_at timestamptz, must_enrol boolean, granted text)",
            SESSION_PRINCIPAL,
            roles=["finops_web"],
            language="plpgsql",
        ),
        DefinerFunction(
            "tenants_user_memberships(member uuid)",
            "TABLE (tenant_id uuid, slug text, status text, role text)",
            USER_MEMBERSHIPS,
            roles=["finops_web", "finops_worker"],
        ),
        DefinerFunction(
            "tenants_colleague(asker uuid, named text, roles text[])",
            "TABLE (user_id uuid, name text, email text)",
            COLLEAGUE,
            roles=["finops_app"],
        ),
        DefinerFunction(
            "tenants_open_invitation(token bytea, at timestamptz)",
            "TABLE (invitation_id uuid, email text, tenant_id uuid, slug text, name text, status text)",
            OPEN_INVITATION,
            roles=["finops_web"],
        ),
        DefinerFunction(
            "tenants_invitation_tenant(token bytea)",
            "TABLE (tenant_id uuid)",
            INVITATION_TENANT,
            roles=["finops_web"],
        ),
    ]
