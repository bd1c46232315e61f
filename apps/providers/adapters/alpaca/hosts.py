"""Alpaca's hosts, what they allow, and how long we wait for them."""

from collections.abc import Mapping

from django.conf import settings

from apps.providers.adapters.alpaca import errors
from apps.providers.protocols import Limit
from apps.providers.transport import CallPolicy, ProviderClient
from apps.providers.types import AccountMode

# Trading of paper and of live accounts, and market data: each is metered, and may be away, on its own.
HOSTS = ("live", "paper", "data")
_ADDRESSES = {
    "live": "https://api.alpaca.markets",
    "paper": "https://paper-api.alpaca.markets",
    "data": "https://data.alpaca.markets",
}

# Half at once and half over the minute: no minute ever sees more than Alpaca allows.
_HALF_A_MINUTE = max(1, settings.ALPACA_REQUESTS_PER_MINUTE // 2)
LIMITS = (Limit(scope="connection", requests=_HALF_A_MINUTE, seconds=60, burst=_HALF_A_MINUTE),)

# An order is tried once: whoever sends it holds back a kill switch meanwhile, and decides itself about another try.
ORDER = CallPolicy(connect_seconds=3.0, read_seconds=10.0, deadline_seconds=10.0, tries=1, longest_wait_seconds=1.0)
# What an order, or a client, waits for.
QUICK = CallPolicy(connect_seconds=3.0, read_seconds=5.0, deadline_seconds=8.0, tries=2, longest_wait_seconds=2.0)
# What a sync reads.
PATIENT = CallPolicy(connect_seconds=3.0)


def mode_of(credentials: Mapping[str, str]) -> AccountMode:
    """Return which of its two worlds a key belongs to: Alpaca's keys of paper accounts begin with PK."""
    return "paper" if credentials["key_id"].startswith("PK") else "live"


def address(host: str) -> str:
    """Return where a host is: the sandbox has all of them under one path."""
    return f"{settings.SANDBOX_URL}/alpaca" if settings.SANDBOX_URL else _ADDRESSES[host]


def open_client(host: str, credentials: Mapping[str, str], connection_key: str) -> ProviderClient:
    """Return a client of one host."""
    return ProviderClient(
        provider=errors.PROVIDER,
        host=host,
        base_url=address(host),
        connection_key=connection_key,
        limits=LIMITS,
        classify=errors.classify_error,
        retry_after=errors.retry_after,
        headers={"APCA-API-KEY-ID": credentials["key_id"], "APCA-API-SECRET-KEY": credentials["secret_key"]},
        policy=PATIENT,
        keeps_connection=True,
    )
