"""Every operation of the API with the token of staff who look as acme's owner: what reads a little, and no more."""

import json
import logging
from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from psycopg.errors import InsufficientPrivilege
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.logs import ContextFilter
from apps.core.scope import staff_scope, tenant_scope
from apps.tenants.models import Impersonation
from apps.tenants.services import end_impersonation
from apps.users.models import User
from tests.conftest import client_for
from tests.factories.impersonations import make_impersonation, make_token, staff_acting
from tests.factories.users import make_user
from tests.matrix.calls import call, good_body, rolled_back
from tests.matrix.owner import Digests, Owner
from tests.matrix.routes import BASE, METHODS, OPERATIONS, ROUTES, Route
from tests.matrix.test_permissions import CODES
from tests.matrix.test_sql import refused
from tests.matrix.world import World

pytestmark = pytest.mark.commits

HEADER = "Finops-Impersonation"
# What is let through. Everything else that reads is 403, and so is everything that writes, wherever it stands.
READABLE = {
    "accounts",
    "accounts/{account_id}",
    "connections",
    "connections/{connection_id}",
    "connections/{connection_id}/runs",
    "holdings",
    "me",
    "positions",
    "providers",
    "sync-runs/{run_id}",
    "transactions",
    "transactions/{transaction_id}",
}
OPEN = {"docs", "redoc", "openapi.json", "audit/verifier"}
READABLE_TABLES = {
    "accounts_account",
    "accounts_holding",
    "accounts_transaction",
    "orders_position",
    "orders_riskaccount",
    "providers_connection",
    "providers_syncrun",
}
READABLE_GLOBALS = {
    "market_instrument",
    "market_listing",
    "market_listingimport",
    "market_quote",
    "market_venueclock",
}
# Rows that looking leaves behind, and nothing else: the leaf, and the count on the impersonation.
RECORD = {"audit_entry", "tenants_impersonation"}


class Look:
    """A staff user who looks as acme's owner, with a token."""

    def __init__(self, world: World) -> None:
        self.staff = make_user(f"looker-{clock.now():%H%M%S%f}", is_staff=True, is_superuser=True)
        self.tenant = world.acme.tenant
        self.row = make_impersonation(self.tenant, User.objects.get(username="jordan"), self.staff)
        self.token = make_token(self.row, self.staff, self.tenant)
        self.client: APIClient = client_for(self.token)

    def end(self) -> None:
        end_impersonation(impersonation_id=self.row.pk, actor=staff_acting(self.staff, self.tenant), now=clock.now())


@pytest.fixture
def looking(world: World) -> Iterator[Look]:
    look = Look(world)
    yield look
    look.end()


def looks(look: Look) -> int:
    with staff_scope():
        return Impersonation.objects.get(pk=look.row.pk).looks


def assert_only_the_record_changed(before: Digests, after: Digests, leaves: int) -> None:
    changed = {table for table in after if after[table] != before[table]}
    assert changed == (RECORD if leaves else set())
    assert after["audit_entry"][0] - before["audit_entry"][0] == leaves
    assert after["tenants_impersonation"][0] == before["tenants_impersonation"][0]


def expected(route: Route, method: str) -> int:
    if method != "GET":
        return 403
    return 200 if route.path in READABLE | OPEN else 403


def test_every_operation_has_its_status_and_changes_nothing(world: World, owner: Owner, looking: Look) -> None:
    answered, before = {}, owner.everything()
    for route, method in OPERATIONS:
        url, body = route.url(world.acme.ids), good_body(world, route, method)
        answer = call(looking.client, method, url, body)
        answered[route.path, method] = answer.status_code
        assert answer[HEADER] == str(looking.row.pk), (route.path, method)
        if answer.status_code == 403:
            code = "permission_denied" if method == "GET" else "impersonation_reads"
            assert (answer["Content-Type"], answer.json()["code"]) == ("application/problem+json", code)
    assert answered == {(route.path, method): expected(route, method) for route, method in OPERATIONS}
    assert_only_the_record_changed(before, owner.everything(), len(OPERATIONS))
    assert looks(looking) == len(OPERATIONS)


def test_methods_that_a_route_does_not_take_are_refused_as_well(world: World, owner: Owner, looking: Look) -> None:
    before, count = owner.everything(), 0
    for route in ROUTES:
        untaken = next(method for method in (*METHODS[1:], "TRACE") if method not in route.methods)
        for method in (untaken, "PROPFIND"):
            answer = call(looking.client, method, route.url(world.acme.ids), {})
            assert (answer.status_code, answer[HEADER]) == (403, str(looking.row.pk)), (route.path, method)
            count += 1
    assert_only_the_record_changed(before, owner.everything(), count)


def test_the_header_is_on_every_answer(world: World, looking: Look) -> None:
    answers = {
        "GET nothing": (404, {}),
        "GET accounts?wrong=1": (400, {}),
        "GET accounts?%00=1": (400, {}),
        "GET accounts/%00": (404, {}),
        "GET accounts/0198c5a0-0000-7000-8000-000000000001": (404, {}),
        "HEAD accounts": (200, {}),
        "OPTIONS accounts": (200, {}),
        f"GET accounts?search={'x' * 9000}": (414, {}),
        "GET transactions": (406, {"Accept": "text/csv"}),
    }
    for asked, (status, headers) in answers.items():
        method, path = asked.split(" ")
        answer = looking.client.generic(method, BASE + path, headers=headers)
        assert (answer.status_code, answer.get(HEADER)) == (status, str(looking.row.pk)), asked
    for member in ("acme_admin", "acme_user", "anonymous", "staff"):
        assert HEADER not in call(world.client(member), "GET", f"{BASE}accounts")


def test_what_it_shows_is_what_the_member_sees(world: World, looking: Look) -> None:
    for path in sorted(READABLE - {"me"}):
        url = Route(path, ROUTES[0].view).url(world.acme.ids)
        seen, members = (call(client, "GET", url) for client in (looking.client, world.client("acme_user")))
        assert seen.json() == members.json(), path
    me = call(looking.client, "GET", f"{BASE}me").json()
    assert me["permissions"] == [
        "accounts:read",
        "connections:read",
        "positions:read",
        "providers:read",
        "transactions:read",
    ]


def test_search_works_as_the_member_has_it(world: World, looking: Look) -> None:
    url = f"{BASE}transactions?search=payroll"
    seen, members = (call(client, "GET", url).json() for client in (looking.client, world.client("acme_user")))
    assert len(seen["data"]) == 1
    assert seen == members


def test_globex_is_not_there(world: World, looking: Look) -> None:
    for path in READABLE:
        route = Route(path, ROUTES[0].view)
        if route.parameters:
            with rolled_back():  # the leaf of the look has the path, as the staff member typed it
                assert call(looking.client, "GET", route.url(world.globex.ids)).status_code == 404, path


def test_each_look_names_both_and_what_was_looked_at(world: World, owner: Owner, looking: Look) -> None:
    account = world.acme.ids["account_id"]
    call(looking.client, "GET", f"{BASE}transactions?account={account}&search=secret-word&limit=5")
    statement = "SELECT {} FROM audit_entry WHERE tenant_id = %s ORDER BY position DESC LIMIT 1"
    (changes,) = owner.column(statement.format("changes"), world.acme.tenant.id)
    (actor,) = owner.column(statement.format("actor"), world.acme.tenant.id)
    assert changes == {
        "request": [None, f"GET /api/v1/transactions (account={account}, search, limit)"],
        "status": [None, 200],
    }
    jordan = User.objects.get(username="jordan")
    assert (actor["user_id"], actor["impersonator_id"]) == (str(jordan.id), str(looking.staff.id))


def test_each_log_line_names_both(looking: Look, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.addFilter(ContextFilter())
    caplog.set_level(logging.INFO, "finops.request")
    call(looking.client, "GET", f"{BASE}accounts")
    call(looking.client, "POST", f"{BASE}orders", {})
    lines = [record for record in caplog.records if record.name == "finops.request"]
    seen = [[getattr(record, name) for name in ("user_id", "impersonator_id")] for record in lines]
    assert seen == [[str(looking.row.user_id), str(looking.staff.id)]] * 2


def test_tokens_that_are_no_good_are_refused(world: World, owner: Owner) -> None:
    look = Look(world)
    look.end()
    forged = [
        look.token,
        look.token[:-1] + ("A" if look.token[-1] != "A" else "B"),
        "fos_" + "A" * 43,
        "fos_",
        f"{look.token}x",
        look.row.pk.hex,
    ]
    before = owner.everything()
    for token in forged:
        for method, path in (("GET", "accounts"), ("GET", "me"), ("POST", "orders"), ("DELETE", "auth/sessions/x")):
            answer = call(client_for(token), method, BASE + path, {} if method == "POST" else None)
            expected_status = 404 if path.endswith("/x") else 401
            assert (answer.status_code, answer.json()["code"]) == (
                expected_status,
                {**CODES, 401: "authentication_required"}[expected_status],
            ), (token, path)
            assert HEADER not in answer
    assert owner.everything() == before


def test_its_time_ends_it(world: World, owner: Owner, looking: Look) -> None:
    assert call(looking.client, "GET", f"{BASE}accounts").status_code == 200
    owner.connection.execute(
        "UPDATE tenants_impersonation SET started_at = now() - interval '15 minutes', expires_at = now() WHERE id = %s",
        [looking.row.pk],
    )
    assert call(looking.client, "GET", f"{BASE}accounts").status_code == 401


def test_a_staff_user_without_the_permission_looks_no_more(world: World, looking: Look) -> None:
    with staff_scope():
        User.objects.filter(pk=looking.staff.pk).update(is_superuser=False)
    assert call(looking.client, "GET", f"{BASE}accounts").status_code == 401


def test_it_is_no_refresh_token_and_no_password(world: World, looking: Look) -> None:
    """Sent in a body, it is what any other wrong text is."""
    anonymous = world.client("anonymous")
    refreshed = call(anonymous, "POST", f"{BASE}auth/token/refresh", {"refresh": looking.token})
    assert (refreshed.status_code, refreshed.json()["code"]) == (401, "invalid_refresh_token")
    body = {"username": "jordan", "password": looking.token, "tenant": "acme"}
    assert call(anonymous, "POST", f"{BASE}auth/token", body).status_code == 401
    accepted = call(anonymous, "POST", f"{BASE}invitations/accept", {"token": looking.token})
    assert accepted.status_code in (400, 401)


def test_the_admin_takes_no_token(looking: Look) -> None:
    answer = looking.client.get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")


# The database itself, as the role.


def as_role(tenant_id: UUID | str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('role', 'finops_impersonator', true), set_config('app.tenant_id', %s, true)",
            [str(tenant_id)],
        )


def test_the_role_reads_few_tables_and_writes_none(world: World, owner: Owner) -> None:
    tables = """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"""
    may = "has_{}_privilege('finops_impersonator', oid, '{}')"
    assert set(owner.column(f"{tables} AND {may.format('any_column', 'SELECT')}")) == READABLE_TABLES | READABLE_GLOBALS
    for privilege in ("INSERT", "UPDATE", "REFERENCES"):
        assert owner.column(f"{tables} AND {may.format('any_column', privilege)}") == []
    for privilege in ("DELETE", "TRUNCATE", "TRIGGER"):
        assert owner.column(f"{tables} AND {may.format('table', privilege)}") == []
    for table in owner.column(tables):
        for statement in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {}"):
            with refused(InsufficientPrivilege), connection.cursor() as cursor:
                as_role(world.acme.tenant.id)
                cursor.execute(statement.format(table))


def test_the_role_sees_acme_alone(world: World, owner: Owner) -> None:
    for table in sorted(READABLE_TABLES):
        with transaction.atomic(), connection.cursor() as cursor:
            as_role(world.acme.tenant.id)
            cursor.execute(f"SELECT DISTINCT tenant_id FROM {table}")
            assert cursor.fetchall() == [(world.acme.tenant.id,)], table
            as_role("")
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table


def test_the_role_cannot_become_what_the_login_is_not(world: World, owner: Owner) -> None:
    for role in ("finops_owner", "finops_system", "finops_worker", "postgres", "pg_read_all_data"):
        with refused(InsufficientPrivilege), connection.cursor() as cursor:
            as_role(world.acme.tenant.id)
            cursor.execute("SELECT set_config('role', %s, true)", [role])
    is_login, has_roles = (
        "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'finops_impersonator'",
        "SELECT EXISTS (SELECT FROM pg_auth_members WHERE member = 'finops_impersonator'::regrole)",
    )
    assert [owner.column(statement) for statement in (is_login, has_roles)] == [[False], [False]]


def test_the_roles_functions_are_the_search_and_the_record_with_its_key(owner: Owner) -> None:
    executable = owner.column(
        """SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace
           AND has_function_privilege('finops_impersonator', oid, 'EXECUTE') ORDER BY 1"""
    )
    assert executable == ["accounts_search_transactions", "audit_subject_key_of", "tenants_record_look"]


FORGED = {
    "another action": {"action": "member.removed"},
    "another tenant": {"tenant_id": "0198c5a0-0000-7000-8000-000000000001"},
    "no tenant": {"tenant_id": None},
    "somebody else's name": {"actor": {"kind": "user", "label": "x"}},
    "another target": {"target_id": "0198c5a0-0000-7000-8000-000000000001"},
    "another time": {"at": "2020-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_the_record_takes_no_other_leaf(change: dict[str, object], world: World, owner: Owner, looking: Look) -> None:
    jordan = User.objects.get(username="jordan")
    leaf = {
        "id": "0198c5a0-0000-7000-8000-0000000000aa",
        "tenant_id": str(world.acme.tenant.id),
        "action": "impersonation.looked",
        "actor": {"user_id": str(jordan.id), "impersonator_id": str(looking.staff.id)},
        "target_type": "impersonation",
        "target_id": str(looking.row.pk),
        "changes": {},
        "request_id": "",
        "traceparent": "",
        "at": clock.now().isoformat(),
        "schema_version": 1,
        "leaf_hash": "\\x00",
    }
    before = owner.everything()
    sql = "SELECT tenants_record_look(%s)"
    with (
        pytest.raises(DatabaseError, match="no look of a live impersonation"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        as_role(world.acme.tenant.id)
        cursor.execute(sql, [json.dumps({**leaf, **change})])
    assert owner.everything() == before
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        tenant_scope(world.acme.tenant.id),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql, [json.dumps(leaf)])
