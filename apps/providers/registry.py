"""Which providers this installation can talk to: our own table, then plug-ins.

A plug-in is a package with an entry point in the group `finops.providers` that loads to an `AdapterSpec`. One
that fails to load, or declares nonsense, is listed as disabled with its reason; it never takes the others down.
"""

import logging
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.crypto import DecryptionFailed
from apps.core.redaction import redact_text
from apps.core.scope import tenant_scope
from apps.providers.adapters.alpaca import ALPACA
from apps.providers.adapters.teller import TELLER
from apps.providers.credentials import open_sealed
from apps.providers.enums import Capability, ErrorCategory
from apps.providers.errors import ProviderError
from apps.providers.hooks import HookSpec
from apps.providers.models import Connection, Credentials
from apps.providers.protocols import (
    AdapterSpec,
    BankingAdapter,
    BrokerageAdapter,
    CredentialField,
    HoldingsAdapter,
    Limit,
    MarketDataAdapter,
)
from apps.providers.trading import StreamOpened, TradeUpdate

logger = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "finops.providers"
BUILT_IN: dict[str, AdapterSpec] = {"alpaca": ALPACA, "teller": TELLER}

# What a sync can read accounts from.
SYNCHRONISED = frozenset({Capability.BANKING, Capability.BROKERAGE})

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True)
class Registration:
    """A provider: its adapter's declaration, or without one the reason why it is disabled."""

    name: str
    spec: AdapterSpec | None
    reason: str = ""


@lru_cache(maxsize=1)
def registrations() -> dict[str, Registration]:
    """Return every provider by name, ours first; found once a process."""
    found = {name: Registration(name, spec) for name, spec in BUILT_IN.items()}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        registration = _load(point, taken=found)
        if registration.spec is None:
            logger.error("provider.disabled", extra={"provider": point.name, "reason": registration.reason})
        found.setdefault(registration.name, registration)
    return found


def find(name: str) -> Registration | None:
    """Return a provider, or None when there is none of this name."""
    return registrations().get(name)


def providers_with(capability: Capability) -> frozenset[str]:
    """Return the names of the providers that can do this."""
    return frozenset(
        name for name, entry in registrations().items() if entry.spec and capability in entry.spec.capabilities
    )


def adapter_for(connection: Connection) -> BankingAdapter:
    """Return what reads the connection's accounts, bound to its decrypted credentials. Use it in a `with` block.

    Raises:
        ProviderError: the adapter is switched off, it reads no accounts, or the credentials cannot be read.
    """
    return cast(BankingAdapter, _connect(connection, SYNCHRONISED))


def holdings_of(connection: Connection, adapter: BankingAdapter) -> HoldingsAdapter | None:
    """Return the connection's adapter as one that reads holdings, too; None where its provider offers none."""
    return cast(HoldingsAdapter, adapter) if connection.provider in providers_with(Capability.BROKERAGE) else None


def brokerage_for(connection: Connection) -> BrokerageAdapter:
    """Return what trades through the connection. Use it in a `with` block.

    Raises:
        ProviderError: as `adapter_for`; PERMANENT `not_offered` where the provider is no broker.
    """
    return cast(BrokerageAdapter, _connect(connection, frozenset({Capability.BROKERAGE})))


def market_data_for(connection: Connection) -> MarketDataAdapter:
    """Return what reads market data with the connection's credentials. Use it in a `with` block.

    Raises:
        ProviderError: as `adapter_for`; PERMANENT `not_offered` where the provider has no market data.
    """
    return cast(MarketDataAdapter, _connect(connection, frozenset({Capability.MARKET_DATA})))


def stream_for(connection: Connection) -> AsyncGenerator[StreamOpened | TradeUpdate, None]:
    """Return the stream of what happens to the connection's orders; nothing is sent before the first step.

    It reads the database: call it outside the event loop. Close it with `contextlib.aclosing`.

    Raises:
        ProviderError: as `adapter_for`; PERMANENT `not_offered` where the provider has no stream.
    """
    spec = _spec_of(connection)
    if spec.stream is None:
        raise _not_offered(connection)
    return spec.stream(_open_credentials(connection))


def _connect(connection: Connection, capabilities: frozenset[Capability]) -> Any:
    """Return the adapter when it offers at least one of these."""
    spec = _spec_of(connection)
    if not capabilities & spec.capabilities:
        raise _not_offered(connection)
    return spec.connect(_open_credentials(connection), str(connection.id))


def _spec_of(connection: Connection) -> AdapterSpec:
    registration = find(connection.provider)
    if registration is None or registration.spec is None:
        message = _("The adapter for this provider is not available on this installation.")
        raise _refusal(connection, ErrorCategory.PERMANENT, "provider_unavailable", message)
    return registration.spec


def credentials_of(tenant_id: UUID, connection_id: UUID) -> dict[str, str] | None:
    """Return a connection's credentials, decrypted; None where they were destroyed.

    Raises:
        DecryptionFailed: they cannot be read.
    """
    with tenant_scope(tenant_id):
        row = Credentials.objects.filter(connection_id=connection_id).first()
    return open_sealed(row) if row else None


def _open_credentials(connection: Connection) -> dict[str, str]:
    try:
        credentials = credentials_of(connection.tenant_id, connection.id)
    except DecryptionFailed as error:
        message = _("The stored credentials can no longer be read. Delete the connection and connect again.")
        raise _refusal(connection, ErrorCategory.AUTH, "credentials_unreadable", message) from error
    if credentials is None:
        message = _("The connection was deleted and its credentials were destroyed.")
        raise _refusal(connection, ErrorCategory.PERMANENT, "connection_disabled", message)
    return credentials


def _not_offered(connection: Connection) -> ProviderError:
    return _refusal(connection, ErrorCategory.PERMANENT, "not_offered", _("This provider does not offer that."))


def _refusal(connection: Connection, category: ErrorCategory, code: str, message: str) -> ProviderError:
    return ProviderError(
        provider=connection.provider, operation="connect", category=category, code=code, message=message
    )


def _load(point: EntryPoint, *, taken: dict[str, Registration]) -> Registration:
    try:
        spec = point.load()
        problem = _problem_with(spec, taken)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plug-in may fail in any way when it is imported)
        return Registration(point.name, None, redact_text(f"It failed to load: {type(error).__name__}: {error}")[:300])
    if problem:
        # A plug-in that wants a taken name is shown under a name that says whose fault it is.
        return Registration(f"{point.name} ({point.value})" if point.name in taken else point.name, None, problem)
    return Registration(spec.name, spec)


def _problem_with(spec: object, taken: dict[str, Registration]) -> str:
    if not isinstance(spec, AdapterSpec):
        return "Its entry point does not lead to an AdapterSpec."
    if not isinstance(spec.name, str) or not _NAME.fullmatch(spec.name):
        return "Its name is not lower-case letters, digits and underscores."
    if spec.name in taken:
        return f"The name {spec.name} is taken."
    if not spec.capabilities or not all(item in Capability.values for item in spec.capabilities):
        return "It declares no capability, or one that is not known."
    if not all(isinstance(field, CredentialField) for field in spec.credentials):
        return "Its credential fields are not CredentialFields."
    if not all(
        isinstance(limit, Limit) and min(limit.requests, limit.seconds, limit.burst) > 0 for limit in spec.limits
    ):
        return "One of its limits is not a positive Limit."
    if not callable(spec.connect) or not callable(spec.enrollment_of):
        return "Its connect or enrollment_of cannot be called."
    if spec.hook is not None and not isinstance(spec.hook, HookSpec):
        return "Its hook is not a HookSpec."
    if spec.stream is not None and not callable(spec.stream):
        return "Its stream cannot be called."
    if not isinstance(spec.hosts, tuple) or not spec.hosts or not all(isinstance(host, str) for host in spec.hosts):
        return "Its hosts are not a tuple of names."
    return ""
