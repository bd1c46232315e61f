"""Restores a tenant from its archive: all of it is looked at before anything is written, and all or nothing is."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from uuid import UUID

from django.db import DatabaseError, connection, transaction

from apps.tenants.models import Tenant
from finops.archive import plan
from finops.archive.manifest import NAME, ArchiveRefused, Manifest, TableEntry, read_manifest

Report = Callable[[str, int], None]
_CHUNK = 1 << 20
_LINES = 500


def import_tenant(*, folder: Path, report: Report, sha256: str = "") -> Manifest:
    """Restore a tenant, ids and sequences and audit leaves as they were, as the owner of the tables.

    `sha256` is the hash that the export told, kept elsewhere: it proves that nobody has made another archive of it.

    Raises:
        ArchiveRefused: a file or the manifest was altered, it is of another schema, or the tenant exists.
    """
    manifest = read_manifest(folder)
    if sha256 and manifest.sha256 != sha256:
        raise ArchiveRefused(f"{NAME} has the hash {manifest.sha256}, not {sha256}: it is another archive.")
    by_name = {table.name: table for table in plan.tables()}
    _require_same_schema(manifest, by_name)
    for entry in manifest.tables:
        _verify(folder, entry)
    with transaction.atomic(), connection.cursor() as cursor:
        _require_absent(manifest)
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # tables refer to each other, and rows to rows
        for entry in manifest.tables:
            with _told_of(entry.file):
                _restore(folder, entry, by_name[entry.table], manifest, report)
        for table in by_name.values():
            for column, sequence in table.sequences:
                cursor.execute(_advance(table.name, column, sequence))
        with _told_of("A reference"):
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return manifest


@contextmanager
def _told_of(what: str) -> Iterator[None]:
    """Refuse rows that are malformed, or that do not go together with those that are here, in words."""
    try:
        yield
    except (DatabaseError, ValueError, RecursionError) as error:
        primary, _newline, _more = str(error).partition("\nCONTEXT:")
        raise ArchiveRefused(f"{what} does not fit in here: {' '.join(primary.split())}") from error


def _require_same_schema(manifest: Manifest, by_name: dict[str, plan.Table]) -> None:
    if manifest.schema != plan.schema():
        apps = manifest.schema.items() ^ plan.schema().items()
        raise ArchiveRefused(f"It is of another schema: migrations of {', '.join(sorted({app for app, _ in apps}))}.")
    theirs = {entry.table: entry.columns for entry in manifest.tables}
    ours = {name: list(table.columns) for name, table in by_name.items()}
    differing = sorted(name for name in theirs.keys() | ours if theirs.get(name) != ours.get(name))
    if differing:
        raise ArchiveRefused(f"It is of another schema: {', '.join(differing)}.")


def _verify(folder: Path, entry: TableEntry) -> None:
    if entry.file != f"{entry.table}.jsonl":
        raise ArchiveRefused(f"{entry.file} is no name for the file of {entry.table}.")
    digest, size = hashlib.sha256(), 0
    try:
        with (folder / entry.file).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ArchiveRefused(f"{entry.file} cannot be read: {error.strerror}.") from error
    if (digest.hexdigest(), size) != (entry.sha256, entry.bytes):
        raise ArchiveRefused(f"{entry.file} was altered: its hash is not the manifest's.")


def _require_absent(manifest: Manifest) -> None:
    try:
        UUID(manifest.tenant_id)
    except ValueError as error:
        raise ArchiveRefused(f"{NAME} names no tenant: {manifest.tenant_id!r} is no id.") from error
    if Tenant.objects.filter(id=manifest.tenant_id).exists():
        raise ArchiveRefused(f"The tenant {manifest.slug} ({manifest.tenant_id}) exists.")
    if Tenant.objects.filter(slug=manifest.slug).exists():
        raise ArchiveRefused(f"Another tenant is called {manifest.slug}.")


def _restore(folder: Path, entry: TableEntry, table: plan.Table, manifest: Manifest, report: Report) -> None:
    rows = 0
    for lines in _batches(folder / entry.file):
        inserted = _insert(table, lines, manifest.tenant_id)
        if not table.shared and inserted != len(lines):
            raise ArchiveRefused(f"{entry.file} holds rows of another tenant.")
        rows += len(lines)
        report(table.name, rows)
    if rows != entry.rows:
        raise ArchiveRefused(f"{entry.file} has {rows} rows, not {entry.rows}.")


def _insert(table: plan.Table, lines: list[str], tenant_id: str) -> int:
    columns = ", ".join([*table.columns, *table.filled])
    values = ", ".join([*(f"line.{column}" for column in table.columns), *table.filled.values()])
    owner = "true" if table.shared else f"line.{'id' if table.name == plan.TENANTS else 'tenant_id'} = %(tenant)s"
    statement = (
        f"INSERT INTO {table.name} ({columns}) SELECT {values} "  # noqa: S608  (our names)
        f"FROM json_populate_recordset(NULL::{table.name}, %(lines)s::json) AS line WHERE {owner} "
        f"{'ON CONFLICT (id) DO NOTHING' if table.shared else ''}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {"lines": f"[{','.join(lines)}]", "tenant": tenant_id})
        return int(cursor.rowcount)


def _advance(table: str, column: str, sequence: str) -> str:
    """Return the statement after which new rows are numbered behind the restored ones."""
    return (
        f"SELECT setval('{sequence}', greatest((SELECT last_value FROM {sequence}), "  # noqa: S608  (our names)
        f"(SELECT coalesce(max({column}), 1) FROM {table})))"
    )


def _batches(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        while lines := list(islice(file, _LINES)):
            for line in lines:
                if not isinstance(json.loads(line), dict):
                    raise ArchiveRefused(f"{path.name} holds something else than rows.")
            yield lines
