"""The plans of what is asked most, on a million rows of fifty tenants under row-level security.

Requests and services are those of the platform, and the server tells how it ran each of their statements. One database
and one test for all of it, since filling it takes its time.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.accounts.services import grant_object
from apps.audit.services import sequence_entries
from apps.backoffice.tracing import AT_MOST
from apps.core import clock
from apps.core.actor import Actor
from apps.core.api.pagination import encode_cursor
from apps.core.ids import lowest_id
from apps.core.scope import system_scope, tenant_scope, write_scope
from apps.jobs.services import forget_finished, leasing
from apps.outbox.services import relay_events
from apps.tenants.models import Membership, Tenant
from apps.webhooks.services import claim, forget_deliveries, forgettable_endpoints, queueing, recover
from apps.webhooks.services.forgetting import FORGET_BATCH
from tests import databases
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.test_staff_tenants import make_helper
from tests.conftest import client_for
from tests.factories.impersonations import make_impersonation, make_token
from tests.factories.orders import refresh_inputs
from tests.factories.tenants import make_api_key, make_member, make_role
from tests.factories.users import make_user
from tests.orders.intake import body_of, post
from tests.plans.reading import Plan, tell_plans, told_plans
from tests.plans.world import NIGHTLY, RARE, World, build, multiply
from tests.tenants.api.calls import signed_in

pytestmark = [pytest.mark.prove, pytest.mark.commits, pytest.mark.long]

BIG = {
    "accounts_transaction",
    "audit_entry",
    "idempotency_record",
    "jobs_job",
    "orders_fill",
    "orders_order",
    "orders_riskdecision",
    "outbox_event",
    "tenants_apikey",
    "webhooks_delivery",
}
# A page has 51 rows, each perhaps in a block of its own, under four levels of an index, and relations beside it. Staff
# see three relations of each row, of which each costs as much. Those limited to some tenants may read all of a small
# one: how many rows of the relations their policies let through is nothing that the planner knows.
PAGE = 400
STAFF_PAGE = {"finops_staff": 600, "finops_staff_limited": 14_000}
# A filter's choices are those of the newest 2,000 rows of a list.
CHOICES = 4_500
# A row that is added or changed goes into up to ten indexes, of three or four levels.
ROW = 60
# A row that a batch looks up by its key, or at all: four levels of an index, and its own block.
LOOK = 6
_INDEXES = """
SELECT c.relname, t.relname, i.indpred IS NOT NULL,
       (SELECT attname FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = i.indkey[0])
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
"""
_LISTS = (
    "accounts/transaction",
    "orders/order",
    "orders/fill",
    "orders/riskdecision",
    "outbox/outboxevent",
    "audit/auditentry",
    "webhooks/delivery",
    "jobs/job",
    "accounts/account",
)


@dataclass(frozen=True, slots=True)
class Index:
    """An index of the database: what its first column is, and whether it holds some rows alone, such as a queue's."""

    table: str
    is_partial: bool
    leading: str


class Judge:
    """Watches what is done, and keeps what there is to complain about."""

    def __init__(self, owner: databases.Owner) -> None:
        rows = owner.execute(_INDEXES).fetchall()
        self._indexes = {name: Index(table, partial, leading) for name, table, partial, leading in rows}
        self.complaints: list[str] = []
        self.judged = 0

    def watch(self, what: str, role: str, act: Callable[[], Any], *, looks: int = 0) -> Any:
        """Do something, and judge the statements about big tables, of which some must have run in this role.

        `looks` are the rows that one statement may look up, where it is a batch.
        """
        with told_plans() as plans:
            done = act()
        found = [plan for plan in plans if plan.tables & BIG]
        if role not in (roles := {plan.role for plan in found}):
            self.complaints.append(f"{what} runs as {roles}, not as {role}")
        self.judged += len(found)
        for plan in found:
            self.complaints += [f"{what} as {plan.role or 'login'}: {bad}" for bad in self._judge(plan, looks)]
        return done

    def _judge(self, plan: Plan, looks: int) -> Iterator[str]:
        for node in plan.nodes():
            index = self._indexes.get(node.get("Index Name", ""))
            if (index.table if index else node.get("Relation Name")) not in BIG:
                continue
            if node["Node Type"] == "Seq Scan":
                yield f"{node['Relation Name']} is read from end to end"
            elif index and not self._is_fit(index, node, plan, looks):
                yield f"{node['Index Name']} leads with {index.leading}"
        bound = self._bound(plan) + LOOK * looks
        if plan.blocks > bound:
            yield f"{plan.blocks} blocks are more than {bound}: {_outline(plan)}"

    @staticmethod
    def _is_fit(index: Index, node: Mapping[str, Any], plan: Plan, looks: int) -> bool:
        """Rows by their keys, a queue's own index, or the tenant's; staff look at all tenants at once."""
        is_key = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) <= max(looks, 1)
        return is_key or index.is_partial or index.leading == "tenant_id" or plan.role.startswith("finops_staff")

    @staticmethod
    def _bound(plan: Plan) -> int:
        changes = [node for node in plan.nodes() if node["Node Type"] == "ModifyTable"]
        if not changes:
            return CHOICES if "LIMIT 2000" in plan.sql else STAFF_PAGE.get(plan.role, PAGE)
        inner = [node for change in changes for node in change.get("Plans", [])]
        return PAGE + ROW * int(sum(max(node["Actual Rows"], 1) * node["Actual Loops"] for node in inner))


def _outline(plan: Plan) -> str:
    parts = (
        f"{node['Node Type']} {node.get('Index Name') or node.get('Relation Name') or ''}"
        f" {node['Actual Rows']}*{node['Actual Loops']}-{node.get('Rows Removed by Filter', 0)}"
        for node in plan.nodes()
    )
    return ", ".join(parts)


def test_a_million_rows_are_not_read(database: str) -> None:
    world = build()
    with databases.as_owner(database) as owner:
        multiply(owner, database)
        seen = Seen(world, owner)
        judge = Judge(owner)
        tell_plans(owner, database)
    databases.log_in("web", database)
    for tenant in (world.big, world.small):
        _lists(judge, client_for(make_api_key(tenant)), "finops_app", seen.filters(tenant))
    _lists_of_few(judge, world, seen)
    _admin(judge, world)
    _intake(judge, world)
    databases.log_in("worker", database)
    _queues(judge)
    _retention(judge, seen.busiest, clock.now() - timedelta(days=90))
    _recovery(judge, world.desk.actor, seen.busiest)
    assert judge.judged > 500
    assert not judge.complaints, "\n".join(judge.complaints)


class Seen:
    """What there is to be asked for: of each tenant an account with many rows and one with few, and an endpoint."""

    def __init__(self, world: World, owner: databases.Owner) -> None:
        self.accounts: dict[UUID, Sequence[UUID]] = {}
        self.endpoints: dict[UUID, UUID] = {}
        (self.busiest,) = owner.execute(
            "SELECT endpoint_id FROM webhooks_delivery WHERE tenant_id = %s GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
            [world.big.id],
        ).fetchall()[0]
        for tenant in (world.big, world.small):
            rows = owner.execute(
                "SELECT account_id FROM accounts_transaction WHERE tenant_id = %s GROUP BY 1 ORDER BY count(*) DESC",
                [tenant.id],
            ).fetchall()
            self.accounts[tenant.id] = (rows[0][0], rows[-1][0])
            (self.endpoints[tenant.id],) = owner.execute(
                "SELECT endpoint_id FROM webhooks_delivery WHERE tenant_id = %s LIMIT 1", [tenant.id]
            ).fetchall()[0]

    def filters(self, tenant: Tenant) -> dict[str, list[dict[str, Any]]]:
        """Return for each list the queries: none, each documented filter with much and with little behind it."""
        accounts = [{"account": str(account)} for account in self.accounts[tenant.id]]
        endpoint = {"endpoint": str(self.endpoints[tenant.id])}
        days = [{"since": _day(100), "until": _day(99)}, {"until": _day(120)}, {"since": _day(1)}]
        times = [{name: f"{day}T00:00:00Z" for name, day in query.items()} for query in days]
        return {
            "transactions": [
                *({}, *accounts, *days, {"search": "zebra"}),
                *({"status": status} for status in ("posted", "pending", "removed")),
                {
                    "cursor": encode_cursor(
                        [date.fromisoformat(_day(120)), lowest_id(clock.now() - timedelta(days=120))]
                    )
                },
            ],
            "accounts": [{}],
            "orders": [
                *({}, *accounts, *times, {"open": "true"}, {"open": "false"}, {"client_order_id": "copy-70000"}),
                *({"status": status} for status in ("filled", "accepted", "denied")),
                *({"instrument": key} for key in ("XNAS:AAPL", RARE, "XNYS:NONE")),
            ],
            "fills": [{}, *accounts, {"order": str(UUID(int=7))}],
            "risk/decisions": [
                {},
                *accounts,
                {"order": str(UUID(int=7))},
                {"outcome": "denied"},
                {"outcome": "approved"},
            ],
            "events": [
                *({}, {"after": "0"}, {"after": "500000"}, {"entity_id": str(UUID(int=7))}),
                *({"type": type_} for type_ in ("order.filled", "order.lost", "order.none")),
            ],
            "audit/entries": [
                *({}, *times, {"actor": str(UUID(int=7))}, {"target_id": "7"}),
                *({"action": action} for action in ("order.filled", "order.lost")),
                *({"target_type": type_} for type_ in ("order", "api_key", "nothing")),
            ],
            "webhooks/deliveries": [
                *({}, endpoint, {"event_type": "order.filled"}, {"event_type": "order.lost"}),
                *({"status": status} for status in ("succeeded", "failed", "pending")),
                {**endpoint, "status": "failed"},
            ],
        }


def _day(ago: int) -> str:
    return str((clock.now() - timedelta(days=ago)).date())


def _lists(judge: Judge, client: Any, role: str, lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Ask for the first page, and for the next by its cursor."""
    for path, queries in lists.items():
        expected = "" if path == "accounts" else role  # accounts are not big: but the credentials are looked up
        for query in queries:
            page = _get(judge, client, expected, path, query)
            if page["next_cursor"]:
                _get(judge, client, expected, path, {**query, "cursor": page["next_cursor"]})


def _get(judge: Judge, client: Any, role: str, path: str, query: Mapping[str, Any]) -> Any:
    answer = judge.watch(f"{path} {dict(query)}", role, lambda: client.get(f"/api/v1/{path}", query))
    assert answer.status_code == 200, answer.content
    return answer.json()


def _lists_of_few(judge: Judge, world: World, seen: Seen) -> None:
    """Members who were granted single accounts, and staff who look as a member."""
    tenant = world.big
    make_role(tenant, "guest", ["tenant:read"])
    for name, account in zip(("with-many", "with-few"), seen.accounts[tenant.id], strict=True):
        user = make_member(tenant, name, "guest")
        with tenant_scope(tenant.id):
            member_id = Membership.objects.get(user_id=user.id).id
        granted: dict[str, Any] = {"member_id": member_id, "object_type": "account", "object_id": account}
        for permission in ("transactions:read", "orders:read"):
            grant_object(permission=permission, **granted, actor=world.desk.actor, now=clock.now())
        own = {"account": str(account)}
        lists: dict[str, list[dict[str, Any]]] = {
            "transactions": [{}, own, {"until": _day(120)}],
            "orders": [{}, own, {"open": "true"}, {"status": "accepted"}],
            "fills": [{}, own],
        }
        _lists(judge, signed_in(name), "finops_grantee", lists)
    support = make_user("support", is_staff=True, is_superuser=True)
    looking = make_impersonation(tenant, make_member(tenant, "vic", "viewer"), support)
    client = client_for(make_token(looking, support, tenant))
    _lists(judge, client, "finops_impersonator", {"transactions": seen.filters(tenant)["transactions"]})


def _admin(judge: Judge, world: World) -> None:
    everything = make_user("everything", is_staff=True, is_superuser=True)
    for user, role in (
        (everything, "finops_staff"),
        (make_helper(world.small), "finops_staff_limited"),
        (make_helper(world.small, world.big, name="two"), "finops_staff_limited"),
    ):
        client = open_session(user, enrol(user))
        for name in _LISTS:
            text = _page(judge, client, role, f"{name}/")
            after = re.search(r'after=([^"&]+)', text)
            if after:
                _page(judge, client, role, f"{name}/?after={after[1]}")
            if role == "finops_staff":
                _page(judge, client, role, f"{name}/?tenant={world.small.id}")
            if not name.startswith("accounts/"):  # these two have no filter by time
                _spans(judge, client, role, f"{name}/", world.big)
        _requests(judge, client, role)


def _spans(judge: Judge, client: Client, role: str, path: str, big: Tenant) -> None:
    between = f"since={_day(100)}&until={_day(90)}"
    for query in ("since=1h", between, f"until={_day(120)}"):
        _page(judge, client, role, f"{path}?{query}")
    if role == "finops_staff":
        _page(judge, client, role, f"{path}?tenant={big.id}&{between}")


def _requests(judge: Judge, client: Client, role: str) -> None:
    """What belongs to a request: to one of a client's id, to none, and to very many that share one, at any time."""
    for query in ("request-150000", "nothing", NIGHTLY, f"{NIGHTLY}&at={_day(100)}"):
        _page(judge, client, role, f"requests/?id={query}", looks=AT_MOST)


def _page(judge: Judge, client: Client, role: str, path: str, *, looks: int = 0) -> str:
    answer = judge.watch(path, role, lambda: client.get(f"/admin/{path}"), looks=looks)
    assert answer.status_code == 200
    return str(answer.content.decode())


def _intake(judge: Judge, world: World) -> None:
    refresh_inputs(world.desk)
    client = client_for(make_api_key(world.big))
    answer = judge.watch("order intake", "finops_app", lambda: post(client, body_of(world.desk)))
    assert answer.status_code == 201, answer.content


def _queues(judge: Judge) -> None:
    now = clock.now()

    def lease() -> object:
        with system_scope():
            return leasing.lease_next(queue="test", kinds=["test.note"], worker="w1", now=now)

    assert judge.watch("leasing a job", "finops_system", lease) is not None
    assert judge.watch("relaying events", "finops_system", lambda: relay_events(now=now)) >= 300
    assert judge.watch("numbering leaves", "finops_system", lambda: sequence_entries(now=now)) >= 300
    claiming = lambda: claim(slots=50, shares={}, rooms={}, default_room=10, now=now)  # noqa: E731
    assert len(judge.watch("claiming deliveries", "finops_system", claiming, looks=50)) == 50


def _retention(judge: Judge, busiest: UUID, before: datetime) -> None:
    """Whose queues begin with what is over is found at a look each, and of the biggest no more is read than a batch."""
    look = lambda: forgettable_endpoints(before=before)  # noqa: E731
    assert len(judge.watch("looking for deliveries to forget", "finops_system", look, looks=100)) == 100
    forget = partial(forget_deliveries, endpoint_id=busiest, before=before)
    assert judge.watch("forgetting deliveries", "finops_system", forget, looks=FORGET_BATCH) == FORGET_BATCH
    assert judge.watch("forgetting jobs", "finops_system", lambda: forget_finished(before=before), looks=1_000) == 1_000


def _recovery(judge: Judge, actor: Actor, endpoint_id: UUID) -> None:
    """What was lost of a big queue is sent again, and what waits behind it is found."""
    since = clock.now() - timedelta(days=365)
    recovering = partial(recover, endpoint_id=endpoint_id, since=since, actor=actor, now=clock.now())
    recovery = judge.watch("recovering deliveries", "finops_app", recovering, looks=100)
    assert 0 < recovery.queued_again < 100

    def rest() -> None:
        with write_scope(actor):
            queueing.hold_back(recovery, now=clock.now())
            queueing.arm_rest(endpoint_id, now=clock.now())

    judge.watch("what waits behind a recovery", "finops_app", rest, looks=300)
