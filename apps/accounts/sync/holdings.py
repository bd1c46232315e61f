"""Keeps what accounts hold beside money as their providers show it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from apps.accounts.models import Holding
from apps.accounts.types import AccountReading, HoldingsReading
from apps.core.ids import new_id
from apps.providers.trading import HoldingData

# What makes a change worth a record; prices move all the time.
_POSITION = ("symbol", "quantity", "average_price", "cost_basis")
_PRICES = ("market_price", "market_value")


@dataclass(slots=True)
class HoldingChanges:
    """The holdings that a sync added, those whose quantity or cost it changed, and those that are gone."""

    created: list[Holding] = field(default_factory=list)
    updated: list[Holding] = field(default_factory=list)
    removed: list[Holding] = field(default_factory=list)


def apply(readings: Mapping[UUID, AccountReading], *, tenant_id: UUID) -> HoldingChanges:
    """Make the accounts' holdings those of the readings; the accounts are locked.

    One that did not map says nothing about ours, which stays with its older `as_of`.
    """
    changes = HoldingChanges()
    read = {account_id: reading.holdings for account_id, reading in readings.items() if reading.holdings}
    if not read:
        return changes
    repriced = _compare(read, changes, tenant_id)
    Holding.objects.bulk_create(changes.created)
    Holding.objects.bulk_update([*changes.updated, *repriced], [*_POSITION, *_PRICES, "as_of"])
    Holding.objects.filter(tenant_id=tenant_id, id__in=[row.id for row in changes.removed]).delete()
    return changes


def _compare(read: Mapping[UUID, HoldingsReading], changes: HoldingChanges, tenant_id: UUID) -> list[Holding]:
    """Fill `changes`, taking over what was read; return the holdings of which only prices and time are new."""
    ours = {
        (row.account_id, row.external_id): row
        for row in Holding.objects.filter(tenant_id=tenant_id, account_id__in=list(read)).order_by("id")
    }
    repriced: list[Holding] = []
    for account_id, reading in read.items():
        for external_id, data in reading.found.items():
            row = ours.pop((account_id, external_id), None)
            if row is None:
                row = Holding(id=new_id(), tenant_id=tenant_id, account_id=account_id, external_id=external_id)
                _take(row, data, reading)
                changes.created.append(row)
            else:
                (changes.updated if _take(row, data, reading) else repriced).append(row)
    for (account_id, external_id), row in ours.items():
        if read[account_id].is_complete and external_id not in read[account_id].refused:
            changes.removed.append(row)
    return repriced


def _take(row: Holding, data: HoldingData, reading: HoldingsReading) -> bool:
    """Take over what the provider says; tell whether the position changed."""
    before = [getattr(row, name) for name in _POSITION]
    for name in (*_POSITION, *_PRICES):
        setattr(row, name, getattr(data, name))
    row.as_of = reading.as_of
    return before != [getattr(row, name) for name in _POSITION]
