"""`manage.py witness check`: every audit log against what the witnesses hold of it. See docs/audit.md."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from finops.witness.stores import open_stores
from finops.witness.witnessing import compare_all, send_checkpoints


class Command(BaseCommand):
    help = (
        "check: hold every log to what the witnesses of FINOPS_WITNESS have of it. send: and give them what is new, as "
        "beat does every minute. Exit code 1 if a log is not what was witnessed, or a witness cannot be asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["check", "send"])

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            stores = open_stores()
        except ValueError as error:
            raise CommandError(str(error)) from error
        if not stores:
            raise CommandError("FINOPS_WITNESS names no witness: see docs/audit.md.")
        sends = options["what"] == "send"
        is_well = True
        for comparison in send_checkpoints(stores, now=clock.now()) if sends else compare_all(stores):
            is_well = is_well and not comparison.problem
            verdict = comparison.problem or f"{comparison.held:,} of {comparison.size:,} entries are witnessed"
            self.stdout.write(f"{comparison.witness}: {comparison.origin}: {verdict}")
        if not is_well:
            self.stderr.write("Not everything is as it was witnessed.")
            sys.exit(1)
