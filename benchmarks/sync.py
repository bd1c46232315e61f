"""The whole path of a first sync, from the provider's HTTP answers to the settled job, against a bare bulk load.

Ours fetches, maps, stages, compares, writes, leaves its audit leaf and event, and settles the job. The peer gets the
same rows for nothing, as Python tuples, and brings them into the same table by COPY and upsert.
"""

from collections.abc import Iterator, Mapping
from time import perf_counter

import httpx
import psycopg
import psycopg.sql

import apps.accounts.tasks  # noqa: F401  (registers the handler)
from apps.accounts.models import Account
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.jobs.runner import run_next
from apps.providers.models import SyncRun
from apps.providers.services import create_connection
from apps.tenants.models import Tenant
from apps.tenants.services import create_tenant
from benchmarks.baselines.copy_upsert import COLUMNS, Row, copy_and_upsert
from benchmarks.result import Result

ROWS = 100_000
ROUNDS = 3
TOKEN = f"test_tkn_bulk{ROWS}"


def sync_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure rows a second, ours and the peer's in turns on an empty table, and the share of each stage of ours."""
    # The sandbox makes up its rows when it is first asked.
    httpx.get(f"{environment['FINOPS_SANDBOX_URL']}/teller/accounts", auth=(TOKEN, ""), timeout=60).raise_for_status()
    ours, peer, stages = [], [], dict[str, float]()
    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        for number in range(ROUNDS):
            tenant = create_tenant(
                slug=f"bench-{number}", name="Bench", actor=system_actor("benchmark"), now=clock.now()
            )
            seconds, run = _sync(tenant)
            ours.append(ROWS / seconds)
            for name, share in _shares(run, seconds).items():
                stages[name] = stages.get(name, 0) + share / ROUNDS
            rows = _rows(owner, tenant)
            _empty(owner)
            started = perf_counter()
            copy_and_upsert(rows, tenant_id=tenant.id)
            peer.append(ROWS / (perf_counter() - started))
            _empty(owner)
    yield Result(name=f"sync_{ROWS}", unit="rows/s", ours=ours, peer=peer, shares=stages)


def _sync(tenant: Tenant) -> tuple[float, SyncRun]:
    actor = system_actor("benchmark", tenant_id=tenant.id)
    connection = create_connection(
        provider="teller", credentials={"access_token": TOKEN}, label="bench", actor=actor, now=clock.now()
    )
    started = perf_counter()
    run_next("sync", worker="benchmark")
    seconds = perf_counter() - started
    with tenant_scope(tenant.id):
        run = SyncRun.objects.get(connection=connection)
        assert (run.status, run.added) == ("succeeded", ROWS), (run.status, run.error)
        assert [account.drift for account in Account.objects.all()] == [0]
    return seconds, run


def _shares(run: SyncRun, seconds: float) -> dict[str, float]:
    """Return each stage's share of the time; the rest is leasing, the run's records and the commit."""
    shares = {name: milliseconds / 1000 / seconds for name, milliseconds in run.stages.items()}
    order = ("plan", "fetch", "stage", "copy", "diff", "apply", "record")
    return {**{name: shares[name] for name in order}, "rest": 1 - sum(shares[name] for name in order)}


def _rows(owner: psycopg.Connection[Row], tenant: Tenant) -> list[Row]:
    columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, COLUMNS))
    query = psycopg.sql.SQL("SELECT {} FROM accounts_transaction WHERE tenant_id = %s ORDER BY id").format(columns)
    return owner.execute(query, [tenant.id]).fetchall()


def _empty(owner: psycopg.Connection[Row]) -> None:
    owner.execute("TRUNCATE accounts_transaction")
