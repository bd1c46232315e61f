"""Fetches what the gate lacks, outside of any transaction. What cannot be had stays as it is, and the gate denies."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from apps.core import context
from apps.core.actor import Actor
from apps.core.scope import tenant_scope
from apps.market.selectors import find_listing
from apps.market.services import refresh_clock, refresh_quotes
from apps.orders.rules.snapshot import Input
from apps.orders.services.accounts import ensure_risk_account, refresh_means
from apps.orders.types import Clock
from apps.providers.models import Connection

T = TypeVar("T")
# While one input is fetched another one may grow old, once; what is missing after that is missing for a reason.
_REFRESHES = 2


class Missing(Exception):
    """The risk account is not there yet, or some inputs of the gate are too old to decide upon."""

    def __init__(self, *, account_id: UUID, instrument: str, inputs: frozenset[Input]) -> None:
        super().__init__(f"{account_id} {instrument}: {sorted(inputs)}")
        self.account_id = account_id
        self.instrument = instrument
        self.inputs = inputs


def with_fresh_inputs(attempt: Callable[[bool], T], *, actor: Actor, time: Clock) -> T:
    """Return what an attempt returns, after what it finds Missing was fetched; it is told whether it is the last.

    Raises:
        AccountNotTradable: it is no account that can trade.
    """
    for _refresh in range(_REFRESHES):
        try:
            return attempt(False)
        except Missing as missing:
            # The attempt has judged the account; the gate counts all that is at stake in it.
            with context.whole_tenant():
                refresh(missing, actor=actor, time=time)
    return attempt(True)


def refresh(missing: Missing, *, actor: Actor, time: Clock) -> None:
    """Make the risk account if need be, and ask the venue for what has grown old; of several callers one asks.

    Raises:
        AccountNotTradable: it is no account that can trade.
    """
    risk_account = ensure_risk_account(account_id=missing.account_id, actor=actor, now=time())
    with tenant_scope(risk_account.tenant_id):
        connection = Connection.objects.get(id=risk_account.connection_id)
    # Means first: they are the slowest, and the quote has to be the freshest.
    if Input.MEANS in missing.inputs:
        refresh_means(risk_account_id=risk_account.id, actor=actor)
    if Input.CLOCK in missing.inputs:
        refresh_clock(connection=connection)
    listing = find_listing(venue=risk_account.venue, key=missing.instrument)
    if Input.QUOTE in missing.inputs and listing is not None:
        refresh_quotes(connection=connection, listings=[listing])
