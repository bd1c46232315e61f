"""Loads the demo tenants and writes `demo.json` under FINOPS_HOME."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from finops.demo import ensure_demo, refresh_addresses
from finops.settings import env


class Command(BaseCommand):
    help = "Create the demo tenants, their bank connections and a staff user, once."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.SANDBOX_URL:
            raise CommandError("The demo lives in the provider sandbox; production settings have none.")
        home = Path(env.text("FINOPS_HOME", ".finops"))
        home.mkdir(parents=True, exist_ok=True)
        call_command("ensure_schedule", verbosity=0)
        path = home / "demo.json"
        created = ensure_demo(path)
        refresh_addresses(path)
        self.stdout.write("Demo tenants created." if created else "Demo tenants are there already.")
