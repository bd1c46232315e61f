"""Loads the demo tenants and writes `demo.json` under FINOPS_HOME."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from finops.demo import ensure_demo
from finops.settings import env


class Command(BaseCommand):
    help = "Create the demo tenants, their bank connections and a staff user, or complete what is there of them."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not settings.SANDBOX_URL:
            raise CommandError("The demo lives in the provider sandbox; production settings have none.")
        home = Path(env.text("FINOPS_HOME", ".finops"))
        if not home.is_dir():
            raise CommandError(f"There is no folder {home} for demo.json: name one in FINOPS_HOME.")
        call_command("ensure_schedule", verbosity=0)
        written = ensure_demo(home / "demo.json")
        self.stdout.write("Demo tenants created." if written else "Demo tenants are there already.")
