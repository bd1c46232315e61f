"""`manage.py export_tenant SLUG --to DIR`: one tenant as files. See docs/operations.md."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.tenants.models import Tenant
from finops.archive.writing import export_tenant

EVERY = 10_000


class Command(BaseCommand):
    help = "Write one tenant's rows as JSON Lines, with a manifest of their hashes. Logs in as the owner."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")

    def handle(self, *_args: Any, **options: Any) -> None:
        folder: Path = options["to"]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty.")
        try:
            manifest = export_tenant(slug=options["slug"], folder=folder, now=clock.now(), report=self._report)
        except Tenant.DoesNotExist as error:
            raise CommandError(f"There is no tenant {options['slug']!r}.") from error
        rows, size = (sum(getattr(entry, what) for entry in manifest.tables) for what in ("rows", "bytes"))
        self.stdout.write(f"{manifest.name}: {rows:,} rows of {len(manifest.tables)} tables, {size:,} bytes.")
        self.stdout.write(f"Keep this elsewhere, to know the archive by: {manifest.sha256}")

    def _report(self, table: str, rows: int) -> None:
        if rows % EVERY == 0:
            self.stdout.write(f"{table}: {rows:,}")
