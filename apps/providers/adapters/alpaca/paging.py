"""Alpaca's lists, page by page.

Activities go on from the id of the last row (`page_token`); orders from the instant of the last one (`after`, which is
exclusive, so that the last instant is asked for again and what was seen is left out).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from apps.providers.adapters.alpaca import errors
from apps.providers.adapters.alpaca.hosts import QUICK
from apps.providers.transport import CallPolicy, ProviderClient

ACTIVITIES_A_PAGE = 100
ORDERS_A_PAGE = 500
MOST_PAGES = 10_000


class _Sorted(msgspec.Struct):
    id: str
    submitted_at: Annotated[datetime, msgspec.Meta(tz=True)]


def rows_of(answer: Any, operation: str) -> list[Any]:
    """Return the answer as the list that it has to be.

    Raises:
        ProviderError: it is none.
    """
    if not isinstance(answer, list):
        raise errors.malformed(operation)
    return answer


def activities_backwards(client: ProviderClient) -> Iterator[list[Any]]:
    """Yield pages of all activities, newest first."""
    return _activities(client, "/v2/account/activities", {"direction": "desc"}, None)


def fills_forwards(client: ProviderClient, since: datetime) -> Iterator[Any]:
    """Yield fills, oldest first, from a little before `since`: Alpaca's `after` leaves out its own instant."""
    after = since.astimezone(UTC) - timedelta(seconds=1)
    params = {"direction": "asc", "after": after.strftime("%Y-%m-%dT%H:%M:%SZ")}
    for page in _activities(client, "/v2/account/activities/FILL", params, QUICK):
        yield from page


def open_orders(client: ProviderClient) -> Iterator[Any]:
    """Yield open orders, oldest first, each once."""
    params: dict[str, str | int] = {"status": "open", "direction": "asc", "limit": ORDERS_A_PAGE, "nested": "false"}
    seen: set[str] = set()
    for _page in range(MOST_PAGES):
        rows = rows_of(client.get("orders.list", "/v2/orders", params=params, policy=QUICK), "orders.list")
        fresh = {key: row for row in rows if (key := _id_of(row)) not in seen}
        yield from fresh.values()
        if len(rows) < ORDERS_A_PAGE:
            return
        if not fresh:
            raise errors.stalled("orders.list")
        seen |= fresh.keys()
        params["after"] = _just_before(rows[-1])
    raise errors.stalled("orders.list")


def _activities(
    client: ProviderClient, path: str, params: Mapping[str, str], policy: CallPolicy | None
) -> Iterator[list[Any]]:
    cursors: set[str] = set()
    asked: dict[str, str | int] = {**params, "page_size": ACTIVITIES_A_PAGE}
    while rows := rows_of(client.get("activities.list", path, params=asked, policy=policy), "activities.list"):
        yield rows
        cursor = _id_of(rows[-1])
        if cursor in cursors or len(cursors) >= MOST_PAGES:
            raise errors.stalled("activities.list")
        cursors.add(cursor)
        asked["page_token"] = cursor


def _id_of(row: Any) -> str:
    identifier = row.get("id") if isinstance(row, dict) else None
    if not isinstance(identifier, str):
        raise errors.malformed("page")
    return identifier


def _just_before(row: Any) -> str:
    try:
        last = msgspec.convert(row, _Sorted)
    except msgspec.ValidationError as error:
        raise errors.malformed("orders.list") from error
    return (last.submitted_at.astimezone(UTC) - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
