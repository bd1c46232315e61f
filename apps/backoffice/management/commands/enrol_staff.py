"""`manage.py enrol_staff USERNAME`: gives a staff user an authenticator and prints the QR code to scan."""

from argparse import ArgumentParser
from io import StringIO
from typing import Any

import segno
from django.core.management.base import BaseCommand, CommandError

from apps.backoffice import services
from apps.core import clock
from apps.core.actor import system_actor
from apps.users.models import User


class Command(BaseCommand):
    help = "Enrol a staff user's authenticator app; earlier ones stop working."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--no-qr", action="store_true", help="print the address alone, not the QR code")

    def handle(self, *_args: Any, **options: Any) -> None:
        username: str = options["username"]
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}. Create one: manage.py createsuperuser {username}")
        if not (user.is_staff and user.is_active):
            raise CommandError(f"{username!r} is not active staff, so an authenticator would not let them in.")
        device = services.enrol_authenticator(user=user, actor=system_actor("enrol_staff"), now=clock.now())
        if not options["no_qr"]:
            picture = StringIO()
            segno.make(device.config_url, error="m").terminal(out=picture, compact=True)
            self.stdout.write(picture.getvalue())
        self.stdout.write(device.config_url)
        self.stdout.write("Scan it with an authenticator app now: it is not shown again.")
