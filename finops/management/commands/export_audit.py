"""`manage.py export_audit --tenant SLUG --to FILE`: a whole audit log as one file. See docs/audit.md."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.audit.exporting import as_lines, as_table
from apps.audit.models import AuditEntry
from apps.audit.opening import OpenedEntry, open_entries
from apps.audit.selectors import numbered_from
from apps.core.scope import staff_scope, tenant_scope
from finops.management.tenants import tenant_id_of

ROWS_AT_ONCE = 1_000


class Command(BaseCommand):
    help = (
        "Write a tenant's audit log, or the installation's own, to a new file, in constant memory. What was broken off "
        "goes on with --from: parts are verified together, in their order. Logs in as the web processes do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        whose = parser.add_mutually_exclusive_group(required=True)
        whose.add_argument("--tenant", metavar="SLUG")
        whose.add_argument("--installation", action="store_true", help="the log that belongs to no tenant")
        parser.add_argument("--to", type=Path, required=True, metavar="FILE")
        parser.add_argument("--format", choices=["jsonl", "csv"], default="jsonl")
        parser.add_argument("--from", type=int, default=1, metavar="SEQUENCE", dest="first")

    def handle(self, *_args: Any, **options: Any) -> None:
        tenant_id = None if options["installation"] else tenant_id_of(options["tenant"])
        entries = _Reading(tenant_id, options["first"])
        written = as_table(entries) if options["format"] == "csv" else as_lines(entries)
        try:
            with options["to"].open("xb") as file:
                file.writelines(written)
        except FileExistsError as error:
            raise CommandError(f"{options['to']} is there already.") from error
        self.stdout.write(f"{entries.count:,} entries, {options['to'].stat().st_size:,} bytes: {options['to']}")


class _Reading:
    """A log's numbered entries in their order, read in short transactions: it never holds back a vacuum."""

    def __init__(self, tenant_id: UUID | None, first: int) -> None:
        self.tenant_id, self.next, self.count = tenant_id, first, 0

    def __iter__(self) -> Iterator[OpenedEntry]:
        log = AuditEntry.objects.filter(tenant_id=self.tenant_id)
        while True:
            with tenant_scope(self.tenant_id) if self.tenant_id else staff_scope():
                entries = open_entries(numbered_from(log, first=self.next)[:ROWS_AT_ONCE])
            yield from entries
            self.count += len(entries)
            if len(entries) < ROWS_AT_ONCE:
                return
            self.next = (entries[-1].entry.sequence or 0) + 1
