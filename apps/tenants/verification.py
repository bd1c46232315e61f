"""Proves that every row belongs to somebody: tenancy holds only for tenants that exist."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _

from apps.core.db.statements import Statement
from apps.core.scope import snapshot_scope
from apps.core.verification import Check, Finding, Over, Seen, Subject, read, register

_TABLES = """
SELECT c.relname AS name FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id'
   AND NOT a.attisdropped ORDER BY 1
"""
# From one tenant's rows to the next one's along the index that begins with the tenant, however many rows each has.
_STRANGERS = """
WITH RECURSIVE owner AS (
    (SELECT tenant_id FROM {table} WHERE tenant_id IS NOT NULL ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM {table} WHERE tenant_id > owner.tenant_id ORDER BY tenant_id LIMIT 1)
      FROM owner WHERE owner.tenant_id IS NOT NULL)
SELECT tenant_id FROM owner
 WHERE tenant_id IS NOT NULL AND NOT EXISTS (SELECT FROM tenants_tenant WHERE id = owner.tenant_id)
"""


def _walk(_subject: Subject) -> Iterator[Seen | Finding]:
    with snapshot_scope():
        tables = [row["name"] for row in read(Statement(_TABLES))]
    for table in tables:
        with snapshot_scope():
            strangers = read(Statement(_STRANGERS.format(table=table)))
        yield Seen(1)
        for stranger in strangers:
            yield Finding(
                table,
                str(stranger["tenant_id"]),
                _("Rows belong to a tenant that does not exist."),
                "a tenant of this id",
                "none",
                _("The tenant was deleted past the platform: restore it, or remove what it has left."),
            )


register(
    Check(
        "tenants.rows",
        _("Every row is some tenant's"),
        _("No table has rows of a tenant that does not exist."),
        _("tables"),
        _walk,
        Over.INSTALLATION,
    )
)
