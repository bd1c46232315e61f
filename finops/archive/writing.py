"""Writes a tenant's archive: one snapshot, streamed, whatever goes on meanwhile."""

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from django.db import connection, transaction

from apps.tenants.models import Tenant
from finops.archive import plan
from finops.archive.manifest import FORMAT, Manifest, TableEntry

FETCHED = 500  # rows in memory at once

Report = Callable[[str, int], None]


def export_tenant(*, slug: str, folder: Path, now: datetime, report: Report) -> Manifest:
    """Write the archive of a tenant into an empty folder and return its manifest, as the owner of the tables.

    `report` is told of each table and its rows so far. Everything is of one instant: a repeatable-read snapshot.

    Raises:
        Tenant.DoesNotExist: nobody has this slug.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        tenant = Tenant.objects.get(slug=slug)
        entries = [_write(table, tenant, folder, report) for table in plan.tables()]
        manifest = Manifest(
            format=FORMAT,
            tenant_id=str(tenant.id),
            slug=tenant.slug,
            name=tenant.name,
            exported_at=now.isoformat(),
            schema=plan.schema(),
            tables=entries,
            left_out=plan.LEFT_OUT,
        )
    manifest.write(folder)
    return msgspec.structs.replace(manifest, sha256=manifest.digest())


def _write(table: plan.Table, tenant: Tenant, folder: Path, report: Report) -> TableEntry:
    name, digest = f"{table.name}.jsonl", hashlib.sha256()
    rows = size = 0
    with open(folder / name, "xb", opener=_private) as file:
        for lines in _batches(table, tenant):
            text = "".join(f"{line}\n" for line in lines).encode()
            file.write(text)
            digest.update(text)
            rows, size = rows + len(lines), size + len(text)
            report(table.name, rows)
    return TableEntry(
        table=table.name,
        file=name,
        columns=list(table.columns),
        rows=rows,
        bytes=size,
        sha256=digest.hexdigest(),
        withheld=sorted(table.filled),
        rewritten=sorted(column for of, column in plan.REWRITTEN if of == table.name),
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _batches(table: plan.Table, tenant: Tenant) -> Iterator[list[str]]:
    # A cursor of the server: the client holds one batch, however many rows there are.
    with connection.chunked_cursor() as cursor:
        cursor.execute(table.query, {"tenant": tenant.id})
        while rows := cursor.fetchmany(FETCHED):
            yield [row[0] for row in rows]
