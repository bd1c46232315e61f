"""Alpaca: a broker of US stocks and crypto, and a source of their prices."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from apps.providers.adapters.alpaca.client import AlpacaAdapter
from apps.providers.adapters.alpaca.hosts import HOSTS, LIMITS
from apps.providers.adapters.alpaca.stream import stream
from apps.providers.enums import Capability
from apps.providers.protocols import AdapterSpec, CredentialField


def _enrollment_of(credentials: Mapping[str, str]) -> str:
    return credentials["key_id"]


ALPACA = AdapterSpec(
    name="alpaca",
    title="Alpaca",
    capabilities=frozenset({Capability.BROKERAGE, Capability.MARKET_DATA}),
    limits=LIMITS,
    credentials=(
        CredentialField(
            name="key_id",
            title=_("API key id (PK… of a paper account, AK… of a live one)"),
            secret=False,
            max_length=64,
            pattern=r"(PK|AK)[A-Z0-9]{6,62}",
        ),
        CredentialField(name="secret_key", title=_("Secret key")),
    ),
    connect=AlpacaAdapter,
    enrollment_of=_enrollment_of,
    hosts=HOSTS,
    stream=stream,
)

__all__ = ["ALPACA"]
