"""`manage.py createsuperuser USERNAME`: a staff user who may do everything; it stands in for Django's command."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.errors import DomainError
from apps.users.management.passwords import read_password
from apps.users.services import create_user


class Command(BaseCommand):
    help = "Create a staff user who may do everything, with a password that is asked for or read from a pipe."
    stealth_options = ("stdin",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", default="")

    def handle(self, *_args: Any, **options: Any) -> None:
        username: str = options["username"]
        password = read_password(options.get("stdin") or sys.stdin)
        try:
            create_user(
                username=username,
                password=password,
                email=options["email"],
                is_staff=True,
                is_superuser=True,
                actor=system_actor("createsuperuser"),
                now=clock.now(),
            )
        except DomainError as error:
            raise CommandError(_reason(error)) from error
        self.stdout.write(f"{username!r} may do everything, once “manage.py enrol_staff {username}” was scanned.")


def _reason(error: DomainError) -> str:
    fields = [f"{found['field']}: {found['message']}" for found in error.extra.get("errors", [])]
    return " ".join([str(error.message), *fields])
