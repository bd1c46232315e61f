"""Fifty tenants with a million rows: one of each made by the platform, the others its copies."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from apps.core import clock
from apps.core.scope import write_scope
from apps.orders.enums import OrderStatus
from apps.outbox.services import emit
from apps.tenants.models import Tenant
from apps.webhooks.services import send_test_event
from tests.conftest import client_for
from tests.databases import Owner, as_owner
from tests.factories.accounts import make_transaction
from tests.factories.market import make_listing
from tests.factories.orders import Desk, make_decision, make_desk, make_fill, make_order
from tests.factories.outbox import new_event
from tests.factories.tenants import make_api_key, make_tenant
from tests.factories.webhooks import make_endpoint
from tests.orders.intake import body_of, post
from tests.plans.rows import REPEATS, Copies, copy, id_of, read_tenants

TENANTS = 50
MILLION = 1_000_000
RARE = "XNYS:RARE"


@dataclass(frozen=True, slots=True)
class World:
    """The tenant with the most rows, at which orders are placed, and the one with the fewest."""

    desk: Desk
    small: Tenant

    @property
    def big(self) -> Tenant:
        """The tenant with the most rows."""
        return self.desk.tenant


def build() -> World:
    """Make the tenants and a row of each kind, logged in as finops_web."""
    tenants = [make_tenant(f"tenant-{number:02}") for number in range(TENANTS)]
    for tenant in tenants:
        for number in range(2):
            make_endpoint(tenant, f"http://127.0.0.1:9/{number}", event_types=["account.*"])
    desk = make_desk(tenants[0])
    make_listing(RARE)
    posted = post(client_for(make_api_key(desk.tenant)), body_of(desk))
    assert posted.status_code == 201, posted.content
    order = make_order(desk, OrderStatus.FILLED)
    make_fill(order, "10")
    make_decision(desk, order)
    make_transaction(desk.account)
    actor, now = desk.actor, clock.now()
    endpoint = make_endpoint(desk.tenant, "http://127.0.0.1:9/tests").endpoint
    send_test_event(endpoint_id=endpoint.id, actor=actor, now=now)
    with write_scope(actor):
        emit(
            new_event(),
            actor=actor,
            now=now,
        )
    return World(desk, tenants[-1])


def multiply(owner: Owner, database: str) -> None:
    """Copy what was built, as the owner: two tables at a time."""
    owner.execute("SET session_replication_role = replica")
    for table in (_ACCOUNTS, _RISK_ACCOUNTS):
        read_tenants(owner)
        copy(owner, table)
    read_tenants(owner)
    with ThreadPoolExecutor(2) as both:
        list(both.map(partial(_copy_alone, database), _BIG))
    for counter in ("audit_counter", "outbox_counter"):
        owner.execute(
            f"INSERT INTO {counter} (id, tenant_id, last_sequence) SELECT gen_random_uuid(), tenant_id, 0 FROM many"
            " ON CONFLICT DO NOTHING"
        )
    owner.execute(f"UPDATE outbox_counter SET last_sequence = {2 * MILLION}")
    # The sequences of the copies are one queue's; each endpoint's begins where its first one is.
    owner.execute("""
        UPDATE webhooks_endpoint AS endpoint SET forgotten_up_to = first.sequence - 1
          FROM (SELECT endpoint_id, min(sequence) AS sequence FROM webhooks_delivery GROUP BY endpoint_id) AS first
         WHERE first.endpoint_id = endpoint.id""")
    owner.execute("DROP TABLE many")
    owner.execute("ANALYZE")


def _copy_alone(database: str, table: Copies) -> None:
    with as_owner(database) as owner:
        owner.execute("SET session_replication_role = replica")  # no trigger for what is a copy
        owner.execute("SET maintenance_work_mem = '256MB'")
        copy(owner, table)


def _often(common: str, rare: str, *, every: int = 20_011) -> str:
    """Return the SQL of a value that is one thing nearly always."""
    return f"CASE WHEN n % {every} = 7 THEN {rare} ELSE {common} END"


_INSTRUMENT = "(SELECT id FROM market_instrument WHERE key = '{key}')"
_LAST = f"n > {MILLION} - 300"
# Three rows a request; and a client that gives the requests of a night one id, every night.
NIGHTLY = "nightly"
_REQUEST = f"CASE WHEN n % 97 = 5 THEN '{NIGHTLY}' ELSE 'request-' || n / 3 END"
# The order of an execution or a decision is one of the same tenant: the shares repeat after 100,003 rows.
_ORDER = id_of(MILLION, f"(n + 5 * {REPEATS})")
_ACCOUNTS = Copies("accounts_account", 10_000, {"external_id": "'copy-' || n", "created_at": "moment"})
_RISK_ACCOUNTS = Copies(
    "orders_riskaccount", 2_000, {"external_id": "'copy-' || n", "account_id": "t.account_id", "created_at": "moment"}
)
_BIG = [
    Copies(
        "accounts_transaction",
        MILLION,
        {
            "account_id": "t.account_id",
            "external_id": "'copy-' || n",
            "date": "moment::date",
            "description": _often("'PAYMENT ' || n % 5000", "'ZEBRA CROSSING ' || n"),
            "status": _often(_often("'posted'", "'pending'", every=1_009), "'removed'", every=997),
            "created_at": "moment",
            "updated_at": "moment",
        },
    ),
    Copies(
        "orders_order",
        MILLION,
        {
            "account_id": "t.account_id",
            "risk_account_id": "t.risk_account_id",
            "client_order_id": "'copy-' || n",
            "venue_order_id": "'copy-' || n",
            "instrument_id": _often("o.instrument_id", _INSTRUMENT.format(key=RARE)),
            "status": "CASE WHEN n % 20011 = 9 THEN 'accepted' WHEN n % 101 = 3 THEN 'canceled' ELSE 'filled' END",
            "created_at": "moment",
            "updated_at": "moment",
            "accepted_at": "moment",
        },
    ),
    Copies(
        "orders_fill",
        300_000,
        {
            "account_id": "t.account_id",
            "risk_account_id": "t.risk_account_id",
            "order_id": _ORDER,
            "venue_execution_id": "'copy-' || n",
            "created_at": "moment",
        },
    ),
    Copies(
        "orders_riskdecision",
        300_000,
        {
            "account_id": "t.account_id",
            "order_id": _ORDER,
            "outcome": _often("'approved'", "'denied'"),
            "decided_at": "moment",
        },
    ),
    Copies(
        "outbox_event",
        MILLION,
        {
            "request_id": _REQUEST,
            "entity_id": "md5((n / 3)::text)::uuid",
            "type": _often("'order.' || (ARRAY['submitted','filled','canceled'])[1 + n % 3]", "'order.lost'"),
            "position": "n",
            "sequence": f"CASE WHEN NOT {_LAST} THEN n END",
            "relayed_at": f"CASE WHEN NOT {_LAST} THEN moment END",
            "occurred_at": "moment",
        },
    ),
    Copies(
        "audit_entry",
        MILLION,
        {
            "request_id": _REQUEST,
            "actor_id": "md5((n % 500)::text)::uuid",
            "action": _often("'order.' || (ARRAY['submitted','filled','canceled'])[1 + n % 3]", "'order.lost'"),
            "target_type": _often("'order'", "'api_key'"),
            "target_id": "md5((n / 3)::text)",
            "position": "n",
            # Far behind what the logs are numbered by: their trees begin with the leaves that wait.
            "sequence": f"CASE WHEN NOT {_LAST} THEN n + {2 * MILLION} END",
            "at": "moment",
        },
    ),
    Copies(
        "webhooks_delivery",
        MILLION,
        {
            "endpoint_id": "t.endpoints[1 + n % 2]",
            "event_id": "gen_random_uuid()",
            "entity_id": "md5((n / 3)::text)::uuid",
            "event_type": _often("'order.filled'", "'order.lost'"),
            "sequence": "n",
            "status": f"CASE WHEN {_LAST} THEN 'pending' WHEN n % 20011 = 7 THEN 'failed' ELSE 'succeeded' END",
            "next_attempt_at": f"CASE WHEN {_LAST} THEN moment END",
            "finished_at": f"CASE WHEN NOT ({_LAST}) THEN moment END",
            "leased_until": "NULL",
            "created_at": "moment",
        },
    ),
    Copies(
        "jobs_job",
        MILLION,
        {
            "request_id": _REQUEST,
            "kind": "'test.note'",
            "queue": "'test'",
            "unique_key": "''",
            "payload": "'{}'",
            "state": f"CASE WHEN {_LAST} THEN 'queued' WHEN n % 20011 = 7 THEN 'dead' ELSE 'succeeded' END",
            "run_at": "moment",
            "finished_at": f"CASE WHEN NOT ({_LAST}) THEN moment END",
            "created_at": "moment",
        },
    ),
    Copies(
        "idempotency_record",
        300_000,
        {"key": "'copy-' || n", "created_at": "moment", "expires_at": "moment + interval '1 day'"},
    ),
    Copies(
        "tenants_apikey",
        20_000,
        {"secret_hash": "sha256(n::text::bytea)", "revoked_at": "moment", "created_at": "moment"},
    ),
]
