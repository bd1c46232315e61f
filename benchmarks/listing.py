"""The list of transactions through the web server, against the plain DRF view of the same rows in the same process."""

from collections.abc import Iterator, Mapping
from uuid import UUID

import psycopg
from django.db import connection

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import write_scope
from apps.providers.services import create_connection
from apps.tenants.enums import ApiKeyMode, Role
from apps.tenants.roles import permissions_of
from apps.tenants.services import create_api_key, create_tenant
from benchmarks.load import requests_per_second
from benchmarks.platform import process
from benchmarks.result import Result
from finops.embedded import ports, services

ROWS = 100_000
ROUNDS = 5
SECONDS = 2.0
_FILL = """
    WITH account AS (
        INSERT INTO accounts_account (id, tenant_id, connection_id, provider, external_id, name, kind, subtype, mode,
            currency, last_four, institution, status, posted_total, version, created_at, updated_at)
        VALUES (gen_random_uuid(), %(tenant)s, %(connection)s, 'teller', 'acc', 'Checking', 'depository', 'checking',
            'live', 'USD', '4242', 'Bank', 'open', 0, 1, now(), now())
        RETURNING id, tenant_id)
    INSERT INTO accounts_transaction (id, tenant_id, account_id, external_id, amount, currency, date, description,
        counterparty, provider_category, category_override, note, status, version, created_at, updated_at)
    SELECT gen_random_uuid(), tenant_id, id, 'txn_' || n, -n / 100.0, 'USD', DATE '2026-03-01' - n %% 700,
        'CARD PAYMENT ' || n, 'SHOP ' || n %% 50, 'shopping', '', '', 'posted', 1, now(), now()
    FROM account, generate_series(1, %(rows)s) AS n
"""


def list_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure requests a second for pages of 50 and of 200 rows, ours and the peer's in turns."""
    headers = {"Authorization": f"Bearer {_prepare_tenant()}"}
    with psycopg.connect(environment["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("ANALYZE")  # as autovacuum would within a minute
    port = ports.choose()
    base = f"http://127.0.0.1:{port}"
    command = services.web({**environment, "DJANGO_SETTINGS_MODULE": "benchmarks.baselines.settings"}, port=port)
    with process(list(command.arguments[1:]), command.environment, ready=f"{base}/livez"):
        for limit in (50, 200):
            urls = {
                "ours": f"{base}/api/v1/transactions?limit={limit}",
                "peer": f"{base}/peer/transactions?limit={limit}",
            }
            for url in urls.values():
                requests_per_second(url, headers, seconds=0.5)
            rates: dict[str, list[float]] = {name: [] for name in urls}
            for _round in range(ROUNDS):
                for name, url in urls.items():
                    rates[name].append(requests_per_second(url, headers, seconds=SECONDS))
            yield Result(name=f"list_{limit}", unit="requests/s", ours=rates["ours"], peer=rates["peer"])


def _prepare_tenant() -> str:
    """Make a tenant with 100,000 transactions, and return the secret of its API key."""
    now = clock.now()
    tenant = create_tenant(slug="list", name="List", actor=system_actor("benchmark"), now=now)
    actor = system_actor("benchmark", tenant_id=tenant.id)
    credentials = {"access_token": "test_tkn_list"}
    connected = create_connection(provider="teller", credentials=credentials, label="list", actor=actor, now=now)
    _fill(tenant.id, connected.id)
    return create_api_key(
        name="benchmark",
        mode=ApiKeyMode.TEST,
        scopes=permissions_of(Role.VIEWER),
        allowed_networks=[],
        expires_at=None,
        actor=actor,
        now=now,
    ).secret


def _fill(tenant_id: UUID, connection_id: UUID) -> None:
    values: dict[str, UUID | int] = {"tenant": tenant_id, "connection": connection_id, "rows": ROWS}
    with write_scope(system_actor("benchmark", tenant_id=tenant_id)), connection.cursor() as cursor:
        cursor.execute(_FILL, values)
