"""`manage.py remove_factors USERNAME`: for a member who has lost every second factor and the recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.actor import system_actor
from apps.users.models import User
from apps.users.services import remove_all_factors


class Command(BaseCommand):
    help = "Take away a member's second factors and recovery codes; their sessions end, the password stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *_args: Any, **options: Any) -> None:
        username: str = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        if user.is_staff:
            raise CommandError(
                f"{username!r} is staff, who keep a second factor: manage.py enrol_staff gives a new one."
            )
        removed = remove_all_factors(user=user, actor=system_actor("remove_factors"), now=clock.now())
        self.stdout.write(f"Second factors of {username!r} that are gone: {removed}. The password alone opens now.")
