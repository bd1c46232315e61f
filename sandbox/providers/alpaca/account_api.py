"""Serve `/v2/account` and its activities."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.providers.alpaca import queries, wire
from sandbox.providers.alpaca.accounts import Account
from sandbox.providers.alpaca.drafts import invalid
from sandbox.providers.alpaca.hours import midnight_after
from sandbox.providers.alpaca.shapes import account_object

if TYPE_CHECKING:
    from sandbox.providers.alpaca.twin import Alpaca

LARGEST_PAGE = 100


class AccountApi:
    """Show the account and what went on in it."""

    def __init__(self, twin: "Alpaca") -> None:
        self._twin = twin

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the endpoints."""
        yield web.get("/v2/account", self.get)
        yield web.get("/v2/account/activities", self.list_activities)
        yield web.get("/v2/account/activities/{activity_type}", self.list_activities)

    async def get(self, request: web.Request) -> web.Response:
        """GET /v2/account."""
        account = self._twin.authorize(request)
        return wire.answer(account_object(account, self._twin.desk.tape, self._twin.world.now()))

    async def list_activities(self, request: web.Request) -> web.Response:
        """GET /v2/account/activities[/{type}] ?activity_types= &date= | &after= &until= &direction= and paging."""
        account = self._twin.authorize(request)
        kind = request.match_info.get("activity_type")
        kinds = {kind} if kind else set(queries.names(request, "activity_types"))
        most = queries.count(request, "page_size", default=LARGEST_PAGE, most=LARGEST_PAGE)
        is_rising = queries.choice(request, "direction", ("desc", "asc")) == "asc"
        low, high = _bounds(account, request)
        token = request.query.get("page_token")
        if token:
            low, high = _turn_page(account, token, low, high, is_rising=is_rising)
        shown: list[dict[str, Any]] = []
        for place in range(low, high) if is_rising else range(high - 1, low - 1, -1):
            activity = account.activities[place]
            if not kinds or activity.kind in kinds:
                shown.append(activity.shown)
            if len(shown) == most:
                break
        return wire.answer(shown)


def _bounds(account: Account, request: web.Request) -> tuple[int, int]:
    after, until, date = (queries.instant(request, name) for name in ("after", "until", "date"))
    rows = account.activities
    if date is not None:
        if after is not None or until is not None:
            invalid("date cannot be used with after or until")
        noon = date + 86_400 / 2
        end = midnight_after(noon)
        return (
            bisect_left(rows, end - 86_400, key=lambda activity: activity.at),
            bisect_left(rows, end, key=lambda activity: activity.at),
        )
    low = 0 if after is None else bisect_right(rows, after, key=lambda activity: activity.at)
    high = len(rows) if until is None else bisect_left(rows, until, key=lambda activity: activity.at)
    return low, high


def _turn_page(account: Account, token: str, low: int, high: int, *, is_rising: bool) -> tuple[int, int]:
    """Return the bounds of what follows the activity whose id is the token."""
    place = account.activity_places.get(token)
    if place is None:
        invalid("invalid page_token")
    return (max(low, place + 1), high) if is_rising else (low, min(high, place))
