"""Fill tables with a million rows of fifty tenants: copies of one row each, by one statement a table, as the owner."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.databases import Owner

REPEATS = 100_003  # rows, after which tenants follow each other as before
# A tenant's share falls from 38 % to half a percent; an account's of its tenant from 17 % to less than a thousandth.
_TENANT_OF_ROW = f"trunc({{tenants}} * power((n::bigint * 7919 % {REPEATS}) / {REPEATS}.0::float8, 4))::int"
_ACCOUNT_OF_ROW = (
    "1 + trunc(cardinality(many.accounts) * power((n::bigint * 104729 % 100019) / 100019.0::float8, 3))::int"
)
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
_COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""
# Rows are 20 seconds apart, the last one is of now; ids are of their times, as the platform's are.
_AT = "(now - ({count} - {n}) * interval '20 seconds')"
_ID = (
    "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0')"
    " || '7' || substr(md5(({n})::text), 1, 3) || '8' || substr(md5(({n})::text), 4, 15))::uuid"
)


@dataclass(frozen=True, slots=True)
class Copies:
    """How many copies of a table's one row there are to be, and the SQL of the columns in which they differ.

    It may name `n`, the copy's number from 1; `t`, its tenant (`tenant_id`, `number`, `accounts`, `risk_account_id`,
    `endpoints`, `account_id`); and `moment`, its time.
    """

    table: str
    count: int
    columns: Mapping[str, str]


def read_tenants(owner: Owner) -> None:
    """Look up what rows can refer to; the platform's own rows come before the copies."""
    owner.execute("DROP TABLE IF EXISTS many")
    owner.execute("""
        CREATE TABLE many AS
        SELECT transaction_timestamp() AS now, row_number() OVER (ORDER BY id) - 1 AS number, id AS tenant_id,
               (SELECT array_agg(a.id ORDER BY a.external_id LIKE 'copy-%', a.id)
                  FROM accounts_account a WHERE a.tenant_id = tenant.id) AS accounts,
               (SELECT r.id FROM orders_riskaccount r WHERE r.tenant_id = tenant.id
                 ORDER BY r.external_id LIKE 'copy-%', r.id LIMIT 1) AS risk_account_id,
               (SELECT array_agg(e.id) FROM webhooks_endpoint e WHERE e.tenant_id = tenant.id) AS endpoints
          FROM tenants_tenant tenant""")


def id_of(count: int, n: str = "n") -> str:
    """Return the SQL of the id of a copy of so many."""
    return _ID.format(at=_AT.format(count=count, n=n), n=n)


def copy(owner: Owner, copies: Copies) -> None:
    """Add the copies; indexes are built afterwards, which takes a fifth of the time."""
    indexes = owner.execute(_INDEXES, [copies.table]).fetchall()
    for name, _definition in indexes:
        owner.execute(f"DROP INDEX {name}")
    owner.execute(_insert(owner, copies))
    for _name, definition in indexes:
        owner.execute(definition)


def _insert(owner: Owner, copies: Copies) -> str:
    at = _AT.format(count=copies.count, n="n")
    given = {"id": id_of(copies.count), "tenant_id": "t.tenant_id", **copies.columns}
    names = [name for (name,) in owner.execute(_COLUMNS, [copies.table]).fetchall()]
    values = ", ".join(given.get(name, f"o.{name}") for name in names)
    tenants = owner.execute("SELECT count(*) FROM many").fetchall()[0][0]
    tenant_of = _TENANT_OF_ROW.format(tenants=tenants)
    return f"""
        INSERT INTO {copies.table} ({", ".join(names)})
        SELECT {values} FROM (SELECT * FROM {copies.table} ORDER BY id DESC LIMIT 1) AS o,
            (SELECT many.*, n, {at} AS moment, many.accounts[{_ACCOUNT_OF_ROW}] AS account_id
               FROM generate_series(1, {copies.count}) AS n JOIN many ON many.number = {tenant_of}) AS t"""
