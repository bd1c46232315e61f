"""Teller: accounts, balances and transactions of US banks."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from apps.providers.adapters.teller.client import LIMITS, TellerAdapter
from apps.providers.adapters.teller.webhook import HOOK
from apps.providers.enums import Capability
from apps.providers.protocols import AdapterSpec, CredentialField


def _enrollment_of(credentials: Mapping[str, str]) -> str:
    return credentials.get("enrollment_id", "")


TELLER = AdapterSpec(
    name="teller",
    title="Teller",
    capabilities=frozenset({Capability.BANKING}),
    limits=LIMITS,
    credentials=(
        CredentialField(name="access_token", title=_("Access token from Teller Connect")),
        CredentialField(
            name="enrollment_id",
            title=_("Enrolment id from Teller Connect"),
            secret=False,
            required=False,
            max_length=200,
        ),
    ),
    connect=TellerAdapter,
    enrollment_of=_enrollment_of,
    hook=HOOK,
)

__all__ = ["TELLER"]
