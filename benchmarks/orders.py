"""Order intake over HTTP, against the same rows written in plain Django REST framework and ORM by the same server.

Only approved orders count. Both take turns on the same accounts; after each turn the orders are closed, so that the
gate never has to add up more open orders than an account would have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import count, cycle
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from django.conf import settings

from apps.accounts.models import Account
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.idempotency.types import Answer
from apps.market.models import Instrument, Listing, Quote, VenueClock
from apps.orders.enums import OrderType, Side
from apps.orders.models import RiskAccount
from apps.orders.services.accounts import ensure_risk_account
from apps.orders.services.intake.placing import Placement, place_order
from apps.orders.types import NewOrder
from apps.providers.services import create_connection
from apps.tenants.enums import ApiKeyMode, Role
from apps.tenants.roles import permissions_of
from apps.tenants.services import create_api_key, create_tenant
from benchmarks import pgbench
from benchmarks.cpu import seconds_of
from benchmarks.load import answers_per_second
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports, services

ACCOUNTS = 50
ROUNDS = 5
SECONDS = 4.0
KEY = "XNAS:BENCH"
# Nothing is refreshed meanwhile: what is known now stays fresh for the whole run, for both alike.
A_DAY = str(24 * 3600)
LASTING = {f"FINOPS_{name}_MAX_AGE_SECONDS": A_DAY for name in ("QUOTE", "CLOCK", "MEANS")}
TABLES = (
    "orders_order",
    "orders_orderevent",
    "orders_riskdecision",
    "audit_entry",
    "outbox_event",
    "jobs_job",
    "idempotency_record",
)
_CLOSE = "UPDATE orders_order SET status = 'filled', reserved = 0 WHERE status = 'approved'"


@dataclass(frozen=True, slots=True)
class Desks:
    """A tenant with accounts that may trade without end, and its API key."""

    actor: Actor
    secret: str
    accounts: Sequence[UUID]
    risk_accounts: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to: orders a second, and milliseconds of the server's processor time for each."""

    rate: float
    cpu: float
    rows: Mapping[str, float]


def orders_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure approved orders a second, ours and the peer's in turns, and the limit that the database sets."""
    desks = prepare_desks()
    port = ports.choose()
    base = f"http://127.0.0.1:{port}"
    own = {**environment, **LASTING, "DJANGO_SETTINGS_MODULE": "benchmarks.baselines.settings"}
    command = services.web(own, port=port)
    with (
        psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner,
        process(list(command.arguments[1:]), command.environment, ready=f"{base}/livez") as server,
    ):
        require_durability(owner)
        urls = {"ours": f"{base}/api/v1/orders", "peer": f"{base}/peer/orders"}
        turns: dict[str, list[Turn]] = {name: [] for name in urls}
        for url in urls.values():
            take_turn(url, desks, owner, server, seconds=1.0)
        owner.execute("ANALYZE")  # as autovacuum would within a minute
        for _round in range(ROUNDS):
            for name, url in urls.items():
                turns[name].append(take_turn(url, desks, owner, server, seconds=SECONDS))
        require_same_rows(turns)
        limit = _limit(desks, owner, environment["DATABASE_URL"])
    ours, peer = ([turn.rate for turn in turns[name]] for name in urls)
    cpu = {name: median(turn.cpu for turn in found) for name, found in turns.items()}
    notes = [
        f"web server's CPU per order: ours={cpu['ours']:.2f} ms peer={cpu['peer']:.2f} ms",
        f"the same SQL by pgbench alone: {limit:,.0f} orders/s, of which ours is {median(ours) / limit:.0%}",
        f"rows per order, both: {', '.join(f'{name}={number:.0f}' for name, number in turns['ours'][0].rows.items())}",
    ]
    yield Result(name="orders", unit="orders/s", ours=ours, peer=peer, notes=notes)


def take_turn(url: str, desks: Desks, owner: psycopg.Connection[Any], server: int, *, seconds: float) -> Turn:
    """Send orders for a while, close them, and return what it came to."""
    rows, used = _rows(owner), seconds_of(server)
    rate = answers_per_second(
        url, _requests(url, desks), expected=b"201", containing=b'"status":"approved"', seconds=seconds
    )
    used = seconds_of(server) - used
    added = {name: number - rows[name] for name, number in _rows(owner).items()}
    orders = added["orders_order"]
    owner.execute(_CLOSE)
    return Turn(rate, used * 1000 / orders, {name: number / orders for name, number in added.items()})


def _requests(url: str, desks: Desks) -> Callable[[], bytes]:
    """Return what makes the next request: each account in turn, and a key of its own for each."""
    numbers, accounts, run = count(), cycle(desks.accounts), uuid4().hex
    path = url[url.index("/", len("http://")) :]

    def request() -> bytes:
        body = _body(next(accounts))
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {desks.secret}",
            "Content-Type: application/json",
            f"Idempotency-Key: {run}-{next(numbers)}",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    return request


def _body(account_id: UUID) -> bytes:
    order = {"instrument": KEY, "side": "buy", "type": "limit", "quantity": "10", "limit_price": "190.25"}
    return msgspec.json.encode({"account_id": account_id, **order})


def _rows(owner: psycopg.Connection[Any]) -> dict[str, int]:
    return {name: owner.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}  # type: ignore[index]


def require_same_rows(turns: Mapping[str, Sequence[Turn]]) -> None:
    """Refuse figures of turns that wrote other rows than one of each table for an order."""
    for found in turns.values():
        for turn in found:
            assert turn.rows == dict.fromkeys(TABLES, 1.0), turn.rows


def require_durability(owner: psycopg.Connection[Any]) -> None:
    """Refuse to measure a database that would forget what it has committed."""
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        row = owner.execute(f"SHOW {name}").fetchone()
        assert row == ("on",), f"{name} is {row}"


def _limit(desks: Desks, owner: psycopg.Connection[Any], url: str) -> float:
    """Place two orders in this process to see what is sent for one, and let pgbench send that."""
    settings.QUOTE_MAX_AGE_SECONDS = settings.CLOCK_MAX_AGE_SECONDS = settings.MEANS_MAX_AGE_SECONDS = int(A_DAY)
    keys = [uuid4().hex, uuid4().hex]
    first, second = (_recorded(desks, key) for key in keys)
    others = {value for statement in second for value in statement.params if isinstance(value, UUID)}
    fresh = {str(value) for statement in first for value in statement.params if isinstance(value, UUID)}
    rows, seconds = _rows(owner), int(SECONDS * 2)
    rate = pgbench.transactions_per_second(
        first,
        fresh=(fresh - {str(value) for value in others}) | {keys[0]},
        accounts={str(desks.accounts[0]): desks.accounts, str(desks.risk_accounts[0]): desks.risk_accounts},
        url=url,
        seconds=seconds,
    )
    added = {number - rows[name] for name, number in _rows(owner).items()}
    assert len(added) == 1 and added.pop() >= 0.9 * rate * seconds, "pgbench has written the same rows"
    return rate


def _recorded(desks: Desks, key: str) -> list[Any]:
    new = NewOrder(
        instrument=KEY, side=Side.BUY, type=OrderType.LIMIT, quantity=Decimal(10), limit_price=Decimal("190.25")
    )
    placement = Placement(
        account_id=desks.accounts[0], new=new, key=key, fingerprint=b"0" * 32, only_paper=False, is_dry_run=False
    )
    with pgbench.recorded() as statements:
        place_order(placement, show=_show, actor=desks.actor)
    return statements


def _show(_order: Any, shown: str, _decision: Any) -> Answer:
    return Answer(status=201, headers={}, body=shown.encode())


@cache
def prepare_desks() -> Desks:
    """Make a tenant with accounts to trade with, and a market to trade on; the same for all benchmarks of a run."""
    now = clock.now()
    tenant = create_tenant(slug="desks", name="Desks", actor=system_actor("benchmark"), now=now)
    actor = system_actor("benchmark", tenant_id=tenant.id)
    _prepare_market()
    connection = create_connection(
        provider="alpaca",
        credentials={"key_id": "PKBENCHMARK", "secret_key": "secret"},
        label="broker",
        actor=actor,
        now=now,
    )
    accounts, risk_accounts = [], []
    for number in range(ACCOUNTS):
        with write_scope(actor):
            account = Account.objects.create(
                tenant_id=tenant.id,
                connection=connection,
                provider="alpaca",
                external_id=f"desk-{number}",
                name=f"Desk {number}",
                kind="brokerage",
                mode="paper",
                currency="USD",
                status="open",
                created_at=now,
                updated_at=now,
            )
        accounts.append(account.id)
        risk_accounts.append(ensure_risk_account(account_id=account.id, actor=actor, now=now).id)
    with write_scope(actor):
        endless = Decimal(10) ** 15
        RiskAccount.objects.update(
            max_position_value=endless,
            max_concentration=Decimal(100),
            max_orders_per_minute=10**6,
            equity=endless,
            buying_power=endless,
            cash=endless,
            means_as_of=now,
        )
    secret = create_api_key(
        name="benchmark",
        mode=ApiKeyMode.TEST,
        scopes=permissions_of(Role.TRADER),
        allowed_networks=[],
        expires_at=None,
        actor=actor,
        now=now,
    ).secret
    return Desks(actor, secret, accounts, risk_accounts)


def _prepare_market() -> None:
    now = clock.now()
    instrument = Instrument.objects.create(
        key=KEY, symbol="BENCH", name="Bench Inc.", asset_class="equity", currency="USD", created_at=now
    )
    Listing.objects.create(
        instrument=instrument,
        venue="alpaca",
        external_id=str(new_id()),
        symbol="BENCH",
        tradable=True,
        shortable=True,
        quantity_increment=Decimal(1),
        updated_at=now,
    )
    Quote.objects.create(
        instrument=instrument,
        source="alpaca",
        bid=Decimal("189.98"),
        ask=Decimal("190.02"),
        venue_at=now,
        received_at=now,
    )
    VenueClock.objects.create(venue="alpaca", is_open=True, venue_at=now, asked_at=now, received_at=now)
