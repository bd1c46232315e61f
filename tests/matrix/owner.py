"""What the database holds, as its owner sees it: every tenant, every table, byte for byte."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tests import databases

# Authentication stamps it, whatever becomes of the request.
_UNWATCHED = "last_used_at"
_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace ORDER BY 1"
)
_TENANT_TABLES = _TABLES.replace("ORDER BY", "AND relforcerowsecurity ORDER BY")
_WITH_TENANT = (
    "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
)


Digests = dict[str, tuple[int, str]]


class Owner:
    """A look at the committed rows. Row security is forced on the owner too; its policy lets everything be seen."""

    def __init__(self, database: str) -> None:
        self.connection = databases.as_owner(database)
        self._tables = self.column(_TABLES)
        # A row that is written gets the number of its transaction, which no row had before.
        written = (f"(SELECT concat(count(*), ' ', sum(xmin::text::bigint)) FROM {table})" for table in self._tables)
        self._marks_query = f"SELECT concat_ws(', ', {', '.join(written)})"
        self.tenant_tables = self.column(_TENANT_TABLES)
        self._marks, self._digested = "", dict[tuple[tuple[str, str], ...], Digests]()
        self._tenant_of = dict.fromkeys(self.column(_WITH_TENANT), "tenant_id") | {"tenants_tenant": "id"}

    def column(self, sql: str, *parameters: object) -> list[Any]:
        """Return the first column."""
        return [row[0] for row in self.connection.execute(sql, parameters)]

    def tenant_column(self, table: str) -> str:
        """Return the column that names the tenant."""
        return self._tenant_of[table]

    def everything(self) -> Digests:
        """Return row count and digest of every table."""
        return self._digests(dict.fromkeys(self._tables, "true"))

    def rows_of(self, tenant_id: UUID) -> Digests:
        """Return row count and digest of the tenant's rows in every table that has any notion of a tenant."""
        return self._digests(self._of(tenant_id))

    def rows_query(self, tenant_id: UUID) -> str:
        """Return the statement behind `rows_of`, for a connection that sees what is not committed."""
        return self._query(self._of(tenant_id))

    def _of(self, tenant_id: UUID) -> dict[str, str]:
        return {table: f"{column} = '{tenant_id}'" for table, column in self._tenant_of.items()}

    def texts_of(self, tenant_id: UUID) -> set[str]:
        """Return every string in the tenant's rows, and in those of users who belong to no other tenant: theirs, and of
        their authenticators and challenges."""
        texts: set[str] = set()
        for table, column in self._tenant_of.items():
            for row in self.column(f"SELECT to_jsonb(t) FROM {table} t WHERE {column} = %s", tenant_id):
                texts.update(_strings(row))
        own_users = """SELECT to_jsonb(u) FROM users_user u WHERE EXISTS (
            SELECT FROM tenants_membership m WHERE m.user_id = u.id HAVING bool_and(m.tenant_id = %s))"""
        of_them = [
            f"SELECT to_jsonb(a) FROM {table} a JOIN ({own_users}) AS own(u) ON u->>'id' = user_id::text"
            for table in ("users_authenticator", "users_passkeychallenge")
        ]
        for query in (own_users, *of_them):
            for row in self.column(query, tenant_id):
                texts.update(_strings(row))
        return texts

    def _digests(self, conditions: dict[str, str]) -> Digests:
        """Read the rows again only when some row of some table is another than when they were read last."""
        marks = "".join(self.column(self._marks_query))
        if marks != self._marks:
            self._marks = marks
            self._digested.clear()
        key = tuple(conditions.items())
        if key not in self._digested:
            self._digested[key] = self._read(conditions)
        return self._digested[key]

    def _read(self, conditions: dict[str, str]) -> Digests:
        rows = self.connection.execute(self._query(conditions)).fetchall()
        return {table: (count, digest) for table, count, digest in rows}

    def _query(self, conditions: dict[str, str]) -> str:
        parts = [
            f"""SELECT '{table}', count(*), coalesce(md5(string_agg(row, '' ORDER BY row)), '') FROM (
                SELECT (to_jsonb(t) - '{_UNWATCHED}')::text AS row FROM {table} t WHERE {condition}) AS rows"""
            for table, condition in conditions.items()
        ]
        return " UNION ALL ".join(parts)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)
