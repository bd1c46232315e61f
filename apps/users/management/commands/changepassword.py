"""`manage.py changepassword USERNAME`: sets a password by our rules; it stands in for Django's command."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.errors import DomainError
from apps.users.management.passwords import read_password
from apps.users.models import User
from apps.users.services import set_password


class Command(BaseCommand):
    help = "Set a user's password, asked for or read from a pipe; all of their sessions end, their second factor stays."
    stealth_options = ("stdin",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *_args: Any, **options: Any) -> None:
        username: str = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        password = read_password(options.get("stdin") or sys.stdin)
        try:
            ended = set_password(user=user, password=password, actor=system_actor("changepassword"), now=clock.now())
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        self.stdout.write(f"The password of {username!r} is changed; {ended} of their sessions ended.")
