"""`manage.py import_tenant DIR`: restores what `export_tenant` wrote. See docs/operations.md."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from finops.archive.manifest import ArchiveRefused
from finops.archive.reading import import_tenant

EVERY = 10_000


class Command(BaseCommand):
    help = "Restore a tenant that is not there, all of it or nothing. Logs in as the owner."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument("--sha256", default="", help="the hash that the export told, kept elsewhere")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            manifest = import_tenant(folder=options["folder"], sha256=options["sha256"], report=self._report)
        except ArchiveRefused as error:
            raise CommandError(f"Nothing was imported. {error}") from error
        self.stdout.write(f"{manifest.name} is restored: {sum(entry.rows for entry in manifest.tables):,} rows.")
        self.stdout.write("Its API keys are revoked, its webhook endpoints disabled, its connections need credentials.")

    def _report(self, table: str, rows: int) -> None:
        if rows % EVERY == 0:
            self.stdout.write(f"{table}: {rows:,}")
