"""The bytes of a row, as audit entries commit to it: those of syncs, and those of what changed it between them.

A row's bytes are a JSON array without white space, all strings, "" for null; it begins with what happened to the row.
Each function takes a model or a row of its columns.
"""

from typing import Any

import msgspec

from apps.core.money import plain

encode = msgspec.json.Encoder().encode


def account_bytes(type_: str, row: Any) -> bytes:
    """Return [type, id, connection_id, external_id, name, kind, subtype, mode, currency, last_four, institution,
    status, provider_balance, provider_available, opening_balance, posted_total].
    """
    balances = (row.provider_balance, row.provider_available, row.opening_balance, row.posted_total)
    return encode(
        (
            type_,
            str(row.id),
            str(row.connection_id),
            row.external_id,
            row.name,
            row.kind,
            row.subtype,
            str(row.mode),
            row.currency,
            row.last_four,
            row.institution,
            str(row.status),
            *("" if amount is None else plain(amount) for amount in balances),
        )
    )


def transaction_bytes(type_: str, row: Any, *, status: str) -> bytes:
    """Return [type, id, account_id, external_id, amount, currency, date, description, counterparty, provider_category,
    status, category_override, note, replaces].
    """
    return encode(
        (
            type_,
            str(row.id),
            str(row.account_id),
            row.external_id,
            plain(row.amount),
            row.currency,
            row.date.isoformat(),
            row.description,
            row.counterparty,
            row.provider_category,
            status,
            *clients_words(row),
        )
    )


def clients_words(row: Any) -> tuple[str, str, str]:
    """Return what a transaction's bytes end with: category_override, note, replaces."""
    return row.category_override, row.note, "" if row.replaces_id is None else str(row.replaces_id)


def holding_bytes(type_: str, row: Any) -> bytes:
    """Return [type, id, account_id, external_id, symbol, quantity, average_price, cost_basis]."""
    cost = "" if row.cost_basis is None else plain(row.cost_basis)
    ids = (str(row.id), str(row.account_id), row.external_id, row.symbol)
    return encode((type_, *ids, plain(row.quantity), plain(row.average_price), cost))
