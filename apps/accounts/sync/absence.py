"""Tells which rows are gone, and which the provider merely no longer shows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from apps.accounts.models import Account
from apps.accounts.sync.applying import posted_changes
from apps.accounts.sync.diff import Difference, VanishedRow, posted_amount
from apps.accounts.sync.staging import Staged
from apps.accounts.types import AccountReading


def believe(
    difference: Difference, staged: Staged, readings: Mapping[UUID, AccountReading], accounts: Iterable[Account]
) -> Difference:
    """Return the difference without the rows that vanished only since the provider's history begins later than ours.

    Banks keep so many months. A row from before the oldest one that they show is believed to be gone only where that
    explains the balance.
    """
    in_reach: list[VanishedRow] = []
    beyond: dict[UUID, list[VanishedRow]] = {}
    for row in difference.vanished:
        reach = readings[row.account_id].reach
        is_in_reach = reach is not None and row.date >= reach
        (in_reach if is_in_reach else beyond.setdefault(row.account_id, [])).append(row)
    if not beyond:
        return difference
    changes = posted_changes(staged, replace(difference, vanished=in_reach))
    drifts = {
        account.id: _drift(account, readings[account.id], changes.get(account.id, Decimal(0)))
        for account in accounts
        if account.id in beyond
    }
    gone = [row for key, rows in beyond.items() if _explains(rows, drifts[key]) for row in rows]
    return replace(difference, vanished=sorted([*in_reach, *gone], key=lambda row: row.id))


def _drift(account: Account, reading: AccountReading, change: Decimal) -> Decimal:
    if reading.balance is None or reading.balance.current is None or account.opening_balance is None:
        return Decimal(0)
    return reading.balance.current - account.our_balance - change


def _explains(rows: Iterable[VanishedRow], drift: Decimal) -> bool:
    total = sum(posted_amount(row.status, row.amount) for row in rows)
    return total != 0 and drift == -total
