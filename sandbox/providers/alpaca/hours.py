"""Tell when the market is open and when a trading day ends.

Unless a test closes it, the market never closes: a session then is a day in New York, midnight to midnight.
Closed, the sessions are those of a working day, 9:30 to 16:00; holidays are not known here.
"""

from datetime import date, datetime, time, timedelta
from typing import Any

from sandbox.providers.alpaca.wire import NEW_YORK

OPENING, CLOSING = time(9, 30), time(16, 0)
SATURDAY = 5
GTC_DAYS = 90


class Market:
    """Hold whether the market trades. `skew`: how far, in seconds, the venue's clock says something else."""

    def __init__(self) -> None:
        self.is_open = True
        self.skew = 0.0

    def as_json(self, *, real: float, virtual: float) -> dict[str, Any]:
        """Return `GET /v2/clock`; what lies ahead on the virtual clock is shown as far ahead on the real one."""
        opening, closing = (midnight_after(virtual),) * 2 if self.is_open else _next_session(virtual)
        return {
            "timestamp": _eastern(real + self.skew),
            "is_open": self.is_open,
            "next_open": _eastern(round(real + opening - virtual)),
            "next_close": _eastern(round(real + closing - virtual)),
        }


def midnight_after(instant: float) -> float:
    """Return the end of the day in New York that holds an instant."""
    day = datetime.fromtimestamp(instant, NEW_YORK).date()
    return datetime.combine(day + timedelta(days=1), time(), NEW_YORK).timestamp()


def midnight_before(instant: float) -> float:
    """Return the beginning of that day."""
    return datetime.combine(datetime.fromtimestamp(instant, NEW_YORK).date(), time(), NEW_YORK).timestamp()


def expiry(instant: float, time_in_force: str) -> float:
    """Return when an order that was placed at an instant expires."""
    days = GTC_DAYS * 86_400.0 if time_in_force == "gtc" else 0.0
    return midnight_after(instant + days)


def calendar(start: date, end: date) -> list[dict[str, str]]:
    """Return `GET /v2/calendar`: the working days from `start` to `end`."""
    days = (start + timedelta(days=number) for number in range((end - start).days + 1))
    return [
        {
            "date": day.isoformat(),
            "open": "09:30",
            "close": "16:00",
            "session_open": "0400",
            "session_close": "2000",
            "settlement_date": _working_day(day + timedelta(days=1)).isoformat(),
        }
        for day in days
        if day.weekday() < SATURDAY
    ]


def _next_session(instant: float) -> tuple[float, float]:
    now = datetime.fromtimestamp(instant, NEW_YORK)
    day = now.date() if now.time() < OPENING else now.date() + timedelta(days=1)
    day = _working_day(day)
    return tuple(datetime.combine(day, at, NEW_YORK).timestamp() for at in (OPENING, CLOSING))  # type: ignore[return-value]


def _working_day(day: date) -> date:
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day


def _eastern(instant: float) -> str:
    return datetime.fromtimestamp(instant, NEW_YORK).isoformat()
