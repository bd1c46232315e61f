"""`manage.py end_impersonations REASON`: nobody of the staff looks as a member any more, from this moment on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.services import end_all_impersonations


class Command(BaseCommand):
    help = "End every impersonation at once; each tenant's log keeps the reason."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reason")

    def handle(self, *_args: Any, **options: Any) -> None:
        reason: str = options["reason"].strip()[:500]
        if not reason:
            raise CommandError("Say why: the tenants read it.")
        count = end_all_impersonations(reason=reason, actor=system_actor("end_impersonations"), now=clock.now())
        self.stdout.write(f"{count} ended.")
