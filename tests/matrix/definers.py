"""The cells of the SECURITY DEFINER functions: what each answers in a situation, and what it refuses.

`CHECKS` are the words of each function that refuse something, with what would refuse nothing in their place.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg

from tests.matrix.cells import in_role
from tests.matrix.world import World

_HIDDEN = "nothing"


class Cell(NamedTuple):
    """A call of a function after some changes, in a role, and the first column that it answers, sorted.

    No answer is `nothing`; a refusal is its SQLSTATE.
    """

    changes: str
    call: str
    answer: str


# What the calls name: acme's own, unless it is said to be globex's.
_NAMES = """
SELECT jsonb_build_object(
    'acme', t.id, 'globex', o.id,
    'session', s.id, 'user', s.user_id, 'member', m.id, 'username', u.username,
    'look', i.id, 'staff', i.staff_id, 'target', i.user_id, 'began', i.started_at, 'ends', i.expires_at,
    'their_look', theirs.id, 'their_staff', theirs.staff_id, 'their_target', theirs.user_id,
    'their_began', theirs.started_at,
    'connection', (SELECT c.id FROM providers_connection c
                   WHERE c.tenant_id = t.id AND c.provider = 'teller' AND c.deleted_at IS NULL ORDER BY c.id LIMIT 1),
    'clerk', (SELECT u.id FROM users_user u WHERE u.username = 'acme-clerk'))
FROM tenants_tenant t
JOIN tenants_tenant o ON o.slug = 'globex'
JOIN tenants_impersonation i ON i.tenant_id = t.id
JOIN tenants_impersonation theirs ON theirs.tenant_id = o.id
JOIN users_user u ON u.username = 'jordan'
JOIN tenants_membership m ON m.tenant_id = t.id AND m.user_id = u.id
JOIN users_session s ON s.tenant_id = t.id AND s.user_id = u.id AND s.revoked_at IS NULL
WHERE t.slug = 'acme' ORDER BY s.id LIMIT 1
"""
_AT = "now()"
_KEY = "sha256('a key')"
_MAKE_KEY = f"UPDATE tenants_apikey SET secret_hash = {_KEY} WHERE name = 'acme admin'; "
_BY_KEY = f"SELECT refusal FROM tenants_api_key_principal({_KEY}, '192.0.2.7', {_AT})"
_SESSION = f"SELECT concat(refusal, ' ', tenant_slug, ' ', label) FROM tenants_session_principal('{{session}}', {_AT})"
_INVITED = f"SELECT email FROM tenants_open_invitation(sha256('a letter'), {_AT})"
_MAKE_LETTER = "UPDATE tenants_invitation SET token_hash = sha256('a letter') WHERE email = 'second@acme.example.com'; "
_INVITING = "SELECT tenant_id = '{acme}' FROM tenants_invitation_tenant(sha256('a letter'))"
_HOOK = "SELECT 'found' FROM providers_hook_connection('{connection}', 'teller')"
_LOOKING = f"SELECT tenant_slug FROM tenants_impersonation_principal(sha256('a look'), NULL, {_AT})"
_MAKE_LOOK = "UPDATE tenants_impersonation SET token_hash = sha256('a look') WHERE id = '{look}'; "
_COLLEAGUE = "SELECT name FROM tenants_colleague('{user}', 'acme-clerk', '{{owner,admin}}')"
_LOOK = (
    "jsonb_build_object('id', gen_random_uuid(), 'tenant_id', '{acme}', 'action', 'impersonation.looked',"
    " 'target_type', 'impersonation', 'target_id', '{look}', 'at', '{began}'::timestamptz, 'changes', '{{}}'::jsonb,"
    " 'personal', '{{}}'::jsonb,"
    " 'request_id', '', 'traceparent', '', 'schema_version', 2, 'leaf_hash', '\\x00', 'actor',"
    " jsonb_build_object('user_id', '{target}', 'impersonator_id', '{staff}'))"
)
_THEIRS = (
    "jsonb_build_object('target_id', '{their_look}', 'tenant_id', '{globex}', 'at', '{their_began}'::timestamptz,"
    " 'actor', jsonb_build_object('user_id', '{their_target}', 'impersonator_id', '{their_staff}'))"
)

_PERSON = "'0198c5a0-0000-7000-8000-000000000009'"
_MAKE_SUBJECT = (
    "INSERT INTO audit_subject_key (id, tenant_id, subject, sealed_key, created_at, erased_at)"
    f" VALUES (gen_random_uuid(), '{{log}}', {_PERSON}, {{key}}, now(), {{erased}})"
)
_OF_SUBJECT = (
    f"SELECT encode(sealed_key, 'hex') FROM audit_subject_key_of({_PERSON}, gen_random_uuid(), '\\x02', {_AT})"
)


def _subject(log: str = "{acme}", key: str = "'\\x01'", erased: str = "NULL") -> str:
    return _MAKE_SUBJECT.format(log=log, key=key, erased=erased)


def _record(changed: str = "'{{}}'") -> str:
    return f"SELECT 'told' FROM tenants_record_look({_LOOK} || {changed})"


ROLES = {
    "accounts_search_transactions": "finops_app",
    "audit_subject_key_of": "finops_app",
    "providers_hook_connection": "finops_web",
    "tenants_api_key_principal": "finops_web",
    "tenants_colleague": "finops_app",
    "tenants_impersonation_principal": "finops_web",
    "tenants_invitation_tenant": "finops_web",
    "tenants_open_invitation": "finops_web",
    "tenants_record_look": "finops_impersonator",
    "tenants_session_principal": "finops_web",
    "tenants_user_memberships": "finops_web",
}
CELLS: dict[str, list[Cell]] = {
    "accounts_search_transactions": [
        Cell("", "SELECT count(*) FROM accounts_search_transactions('payroll')", "1"),
        Cell("", "SELECT count(*) FROM accounts_search_transactions('%')", "0"),
    ],
    "audit_subject_key_of": [
        Cell("", _OF_SUBJECT, "02"),
        Cell(_subject(), _OF_SUBJECT, "01"),
        Cell(_subject(log="{globex}"), _OF_SUBJECT, "02"),
        Cell(_subject(key="NULL", erased="now()"), _OF_SUBJECT, "02"),
    ],
    "providers_hook_connection": [
        Cell("", _HOOK, "found"),
        Cell("", _HOOK.replace("'teller'", "'alpaca'"), _HIDDEN),
        Cell("", _HOOK.replace("{connection}", "{member}"), _HIDDEN),
        Cell("UPDATE providers_connection SET deleted_at = now() WHERE id = '{connection}'", _HOOK, _HIDDEN),
        Cell("UPDATE tenants_tenant SET status = 'suspended'", _HOOK, _HIDDEN),
    ],
    "tenants_api_key_principal": [
        Cell(_MAKE_KEY, _BY_KEY, ""),
        Cell("", _BY_KEY, _HIDDEN),
        Cell(_MAKE_KEY + "UPDATE tenants_apikey SET revoked_at = now()", _BY_KEY, "revoked"),
        Cell(_MAKE_KEY + "UPDATE tenants_apikey SET expires_at = now()", _BY_KEY, "expired"),
        Cell(_MAKE_KEY + "UPDATE tenants_apikey SET allowed_networks = '{{192.0.3.0/24}}'", _BY_KEY, "address"),
        Cell(_MAKE_KEY + "UPDATE tenants_tenant SET status = 'suspended'", _BY_KEY, "suspended"),
    ],
    "tenants_colleague": [
        Cell("", _COLLEAGUE, "Acme Clerk"),
        Cell("", _COLLEAGUE.replace("'acme-clerk'", "'globex-clerk-2'"), _HIDDEN),
        Cell("UPDATE users_user SET is_active = false WHERE username = 'acme-clerk'", _COLLEAGUE, _HIDDEN),
        Cell("", _COLLEAGUE.replace("{user}", "{clerk}").replace("acme-clerk", "jordan"), _HIDDEN),
        Cell("", _COLLEAGUE.replace("acme-clerk", "acme-support"), _HIDDEN),
        Cell("DELETE FROM tenants_membership WHERE user_id = '{user}' AND tenant_id = '{acme}'", _COLLEAGUE, _HIDDEN),
    ],
    "tenants_impersonation_principal": [
        Cell(_MAKE_LOOK, _LOOKING, "acme"),
        Cell("", _LOOKING.replace("NULL", "'{staff}'"), "acme"),
        Cell("", _LOOKING, _HIDDEN),
        Cell(_MAKE_LOOK + "UPDATE tenants_tenant SET status = 'suspended'", _LOOKING, _HIDDEN),
        Cell(_MAKE_LOOK + "UPDATE users_user SET is_active = false WHERE id = '{staff}'", _LOOKING, _HIDDEN),
        Cell(_MAKE_LOOK + "UPDATE users_user SET is_staff = false WHERE id = '{staff}'", _LOOKING, _HIDDEN),
        Cell(_MAKE_LOOK + "UPDATE users_user SET is_active = false WHERE id = '{target}'", _LOOKING, _HIDDEN),
        Cell(_MAKE_LOOK + "UPDATE users_user SET is_staff = true WHERE id = '{target}'", _LOOKING, _HIDDEN),
        Cell(
            _MAKE_LOOK + "UPDATE tenants_impersonation SET ended_at = now(), ending = 'ended' WHERE id = '{look}'",
            _LOOKING,
            _HIDDEN,
        ),
        Cell(
            _MAKE_LOOK + "UPDATE tenants_impersonation SET started_at = started_at - interval '1 hour',"
            " expires_at = expires_at - interval '1 hour' WHERE id = '{look}'",
            _LOOKING,
            _HIDDEN,
        ),
        Cell(
            _MAKE_LOOK + "DELETE FROM accounts_objectgrant; DELETE FROM tenants_membership"
            " WHERE user_id = '{target}' AND tenant_id = '{acme}'",
            _LOOKING,
            _HIDDEN,
        ),
    ],
    "tenants_invitation_tenant": [
        Cell(_MAKE_LETTER, _INVITING, "True"),
        Cell(_MAKE_LETTER + "UPDATE tenants_invitation SET accepted_at = now()", _INVITING, "True"),
        Cell("", _INVITING, _HIDDEN),
    ],
    "tenants_open_invitation": [
        Cell(_MAKE_LETTER, _INVITED, "second@acme.example.com"),
        Cell("", _INVITED, _HIDDEN),
        Cell(_MAKE_LETTER + "UPDATE tenants_invitation SET accepted_at = now()", _INVITED, _HIDDEN),
        Cell(_MAKE_LETTER + "UPDATE tenants_invitation SET revoked_at = now()", _INVITED, _HIDDEN),
        Cell(_MAKE_LETTER + "UPDATE tenants_invitation SET expires_at = now()", _INVITED, _HIDDEN),
    ],
    "tenants_record_look": [
        Cell("", _record(), "told"),
        Cell("", _record(_THEIRS), "42501"),
        Cell("", _record("jsonb_build_object('target_id', '{their_look}')"), "42501"),
        Cell("", _record("jsonb_build_object('target_id', gen_random_uuid())"), "42501"),
        Cell("", _record("jsonb_build_object('tenant_id', '{globex}')"), "42501"),
        Cell("", _record("jsonb_build_object('action', 'member.removed')"), "42501"),
        Cell("", _record("jsonb_build_object('target_type', 'order')"), "42501"),
        Cell("", _record("jsonb_build_object('actor', jsonb_build_object('user_id', '{target}'))"), "42501"),
        Cell("", _record("jsonb_build_object('actor', jsonb_build_object('impersonator_id', '{staff}'))"), "42501"),
        Cell("", _record("jsonb_build_object('at', '{began}'::timestamptz - interval '1 second')"), "42501"),
        Cell("", _record("jsonb_build_object('at', '{ends}'::timestamptz + interval '2 minutes')"), "42501"),
    ],
    "tenants_session_principal": [
        Cell("", _SESSION, " acme jordan"),
        Cell("", _SESSION.replace("{session}", "{member}"), _HIDDEN),
        Cell("UPDATE users_session SET revoked_at = now()", _SESSION, _HIDDEN),
        Cell("UPDATE users_session SET expires_at = now()", _SESSION, _HIDDEN),
        Cell("UPDATE users_user SET is_active = false", _SESSION, _HIDDEN),
        Cell("UPDATE tenants_tenant SET status = 'suspended'", _SESSION, "suspended acme jordan"),
        Cell("DELETE FROM tenants_membership WHERE user_id = '{user}' AND tenant_id = '{acme}'", _SESSION, _HIDDEN),
        Cell(
            "UPDATE tenants_tenant SET require_mfa = true; UPDATE users_authenticator SET confirmed = false;"
            " UPDATE users_passkey SET confirmed = false",
            _SESSION.replace("concat(refusal, ' ', tenant_slug, ' ', label)", "must_enrol::text"),
            "true",
        ),
        Cell(
            "UPDATE tenants_tenant SET require_mfa = true;"
            " UPDATE users_authenticator SET user_id = '{clerk}' WHERE user_id = '{user}';"
            " UPDATE users_passkey SET user_id = '{clerk}' WHERE user_id = '{user}'",
            _SESSION.replace("concat(refusal, ' ', tenant_slug, ' ', label)", "must_enrol::text"),
            "true",
        ),
        Cell("", _SESSION.replace("concat(refusal, ' ', tenant_slug, ' ', label)", "granted"), "None"),
    ],
    "tenants_user_memberships": [Cell("", "SELECT slug FROM tenants_user_memberships('{clerk}')", "acme")],
}
CHECKS: dict[str, list[tuple[str, str]]] = {
    "accounts_search_transactions": [
        ("tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid", "true"),
    ],
    "providers_hook_connection": [
        ("c.id = named", "true"),
        ("AND c.provider = of_provider", ""),
        ("AND c.deleted_at IS NULL", ""),
        ("AND t.status = 'active'", ""),
    ],
    "tenants_api_key_principal": [
        ("k.secret_hash = secret", "true"),
        ("k.revoked_at IS NOT NULL", "false"),
        ("k.expires_at <= at", "false"),
        ("cardinality(k.allowed_networks) > 0", "false"),
        ("t.status <> 'active'", "false"),
    ],
    "tenants_colleague": [
        ("u.username = named", "true"),
        ("u.is_active", "true"),
        ("mine.user_id = asker", "true"),
        ("theirs.tenant_id = mine.tenant_id", "true"),
        ("theirs.user_id = u.id", "true"),
        ("mine.role = ANY (roles)", "true"),
    ],
    "tenants_impersonation_principal": [
        ("(i.token_hash = token OR i.staff_id = staff)", "true"),
        ("s.id = i.staff_id AND s.is_active", "s.id = i.staff_id"),
        ("AND s.is_staff", ""),
        ("u.id = i.user_id AND u.is_active", "u.id = i.user_id"),
        ("AND NOT u.is_staff", ""),
        ("m.tenant_id = i.tenant_id AND m.user_id = i.user_id", "m.tenant_id = i.tenant_id"),
        ("AND t.status = 'active'", ""),
        ("i.ended_at IS NULL", "true"),
        ("i.expires_at > at", "true"),
    ],
    "audit_subject_key_of": [
        ("k.tenant_id IS NOT DISTINCT FROM log", "true"),
        ("k.subject = person", "true"),
        ("AND k.erased_at IS NULL", ""),
    ],
    "tenants_invitation_tenant": [
        ("i.token_hash = token", "true"),
    ],
    "tenants_open_invitation": [
        ("i.token_hash = token", "true"),
        ("i.accepted_at IS NULL", "true"),
        ("i.revoked_at IS NULL", "true"),
        ("i.expires_at > at", "true"),
    ],
    "tenants_record_look": [
        ("tenant_id = NULLIF(current_setting('app.tenant_id', true), '')::uuid", "true"),
        ("seen.tenant_id IS DISTINCT FROM leaf.tenant_id", "false"),
        ("leaf.action <> 'impersonation.looked'", "false"),
        ("leaf.target_type <> 'impersonation'", "false"),
        ("leaf.actor ->> 'user_id' IS DISTINCT FROM seen.user_id::text", "false"),
        ("leaf.actor ->> 'impersonator_id' IS DISTINCT FROM seen.staff_id::text", "false"),
        (
            "leaf.at NOT BETWEEN seen.started_at AND coalesce(seen.ended_at, seen.expires_at) + interval '1 minute'",
            "false",
        ),
    ],
    "tenants_session_principal": [
        ("s.id = session", "true"),
        ("s.revoked_at IS NULL", "true"),
        ("s.expires_at > at", "true"),
        ("AND u.is_active", ""),
        ("t.status <> 'active'", "false"),
        ("m.tenant_id = s.tenant_id AND m.user_id", "m.user_id"),
        ("AND m.user_id = s.user_id", ""),
        ("t.require_mfa AND", "false AND"),
        ("a.user_id = u.id AND", ""),
        ("AND a.confirmed", ""),
        ("AND g.member_id = m.id", ""),
    ],
    "tenants_user_memberships": [("m.user_id = member", "true")],
}


def names(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return what the cells' SQL names."""
    (found,) = connection.execute(_NAMES).fetchone() or ({},)
    return dict(found)


def weakened(function: str, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Return each check with the definition of the function without it."""
    (definition,) = connection.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s", [function]
    ).fetchone() or ("",)
    for check, instead in CHECKS[function]:
        assert check in definition, f"{function} has no {check}"
        yield f"{function} without {check}", definition.replace(check, instead)


def complaints(
    function: str, named: dict[str, str], world: World, connection: psycopg.Connection[Any]
) -> Iterator[str]:
    """Run the function's cells; say what each that fails has found."""
    for cell in CELLS[function]:
        answer = _answer(function, cell, named, world, connection)
        if answer != cell.answer:
            yield f"{function}: {answer!r}, not {cell.answer!r}, to {cell.call} after {cell.changes or 'nothing'}"


def _answer(function: str, cell: Cell, named: dict[str, str], world: World, connection: psycopg.Connection[Any]) -> str:
    with connection.transaction(force_rollback=True):
        if cell.changes:
            connection.execute(cell.changes.format(**named))
        try:
            with in_role(ROLES[function], world, connection):
                rows = connection.execute(cell.call.format(**named)).fetchall()
        except psycopg.Error as refusal:
            return refusal.sqlstate or "?"
    return ", ".join(sorted(str(row[0]) for row in rows)) if rows else _HIDDEN
