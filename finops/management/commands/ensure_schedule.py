"""`manage.py ensure_schedule`: writes the missing entries of beat's schedule."""

from typing import Any

from django.core.management.base import BaseCommand

from finops.schedule import ensure_schedule


class Command(BaseCommand):
    help = "Write the missing entries of beat's schedule; what staff changed stays."

    def handle(self, *_args: Any, **_options: Any) -> None:
        added = ensure_schedule()
        self.stdout.write(f"Added to the schedule: {', '.join(added)}." if added else "The schedule is complete.")
