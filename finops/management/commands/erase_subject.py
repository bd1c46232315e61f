"""`manage.py erase_subject ID --by STAFF --reason WHY`: what audit logs say of a person goes. See docs/security.md."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.audit.services import erase_everywhere, erase_subject
from apps.core import clock
from apps.core.actor import Actor
from apps.core.errors import DomainError
from apps.users.models import User
from finops.management.tenants import tenant_id_of


class Command(BaseCommand):
    help = (
        "Destroy the key under which audit logs have sealed the name and addresses of a person: the id of a user or an "
        "API key. Every leaf, hash and proof stays. Nobody can take it back. Logs in as the web processes do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("subject", type=UUID)
        parser.add_argument("--reason", required=True, help="kept in the open in the log: name nobody in it")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="the staff user in whose name it is done")
        parser.add_argument("--tenant", metavar="SLUG", help="in this tenant's log alone, not in every log")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *_args: Any, **options: Any) -> None:
        actor, subject = _staff(options["by"]), options["subject"]
        where = f"the log of {options['tenant']}" if options["tenant"] else "every log"
        if not options["yes"] and input(f"Erase {subject} from {where}, for good? Type the id again: ") != str(subject):
            raise CommandError("Nothing was erased.")
        asked = {"subject": subject, "reason": options["reason"], "now": clock.now()}
        try:
            if options["tenant"]:
                count = int(erase_subject(actor=actor.for_tenant(tenant_id_of(options["tenant"])), **asked))
            else:
                count = erase_everywhere(actor=actor, **asked)
        except DomainError as error:
            raise CommandError(str(error.message)) from error
        if not count:
            raise CommandError(f"Nothing is sealed of {subject} in {where}.")
        self.stdout.write(f"Erased from {count} {'log' if count == 1 else 'logs'}.")


def _staff(username: str) -> Actor:
    user = User.objects.filter(username=username, is_staff=True, is_active=True).first()
    if user is None or not user.has_perm("audit.erase_auditsubjectkey"):
        raise CommandError(f"{username!r} is no staff user who may erase.")
    return Actor(kind="staff", label=user.username, user_id=user.pk)
