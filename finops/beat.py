"""Beat, of which several may run: one leads, the others wait; nothing that it sends takes effect twice.

celery -A finops beat        (settings: CELERY_BEAT_SCHEDULER)
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from celery import schedules
from django.db import DEFAULT_DB_ALIAS, Error, close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from kombu.exceptions import OperationalError as BrokerError

from finops.ticks import AHEAD, HEADER, instant_due, interval_of

logger = logging.getLogger(__name__)

_KEY = int.from_bytes(b"beat")
# How long a beat that waits goes without trying to lead, and one that leads without sending after a failure.
WAIT_SECONDS = 0.5
# How long one that does not reach the broker leaves the lead to others.
BROKER_WAIT_SECONDS = 2.0
# A leader whose machine is gone is missed by the server after five seconds; one that was killed, at once.
_WATCHED = (
    "-c tcp_keepalives_idle=2 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=5000"
    " -c statement_timeout=5000"
)
_PATIENCE = {"connect_timeout": 3, "keepalives_idle": 2, "keepalives_interval": 1, "tcp_user_timeout": 5000}


class Leadership:
    """The right to send what the schedule says, held by one process: an advisory lock of a session of its own.

    Whoever cannot prove that its session lives does not lead. The lock ends with the session.
    """

    def __init__(self) -> None:
        self._session: BaseDatabaseWrapper | None = None
        self.is_held = False

    def prove(self) -> bool:
        """Tell whether this process leads now; take over if nobody does."""
        try:
            if self._session is None:
                self._session = _own_session()
            with self._session.cursor() as cursor:
                cursor.execute("SELECT 1" if self.is_held else f"SELECT 1 WHERE pg_try_advisory_lock({_KEY})")
                leads = cursor.fetchone() is not None
        except Error as error:
            logger.warning("beat.leadership_unproved", extra={"error": str(error)})
            self.give_up()
            return False
        if leads and not self.is_held:
            logger.info("beat.leads")
        self.is_held = leads
        return leads

    def give_up(self) -> None:
        """End the session, and with it the lock."""
        session, self._session, self.is_held = self._session, None, False
        if session is not None:
            session.close()


def _own_session() -> BaseDatabaseWrapper:
    session = connections[DEFAULT_DB_ALIAS].copy()
    options = session.settings_dict["OPTIONS"]
    options.pop("pool", None)
    given = options.get("options", "")
    session.settings_dict["OPTIONS"] = {**options, **_PATIENCE, "options": f"{given} {_WATCHED}".strip()}
    return session


class TickEntry(ModelEntry):  # type: ignore[misc]  # django-celery-beat has no types
    """An entry of the schedule, whose ticks have instants."""

    last_run_at: datetime
    _instant: datetime | None = None

    def is_due(self) -> schedules.schedstate:
        """Tell whether a tick is due, and in how many seconds the next one is."""
        if self.last_run_at > self._default_now() + AHEAD:
            self.last_run_at = self._default_now()
        state: schedules.schedstate = super().is_due()
        if not state.is_due:
            return state
        now = self._default_now().astimezone(UTC)
        self._instant = instant_due(self.schedule, last=self.last_run_at.astimezone(UTC), now=now)
        if self._instant is None:
            return schedules.schedstate(False, WAIT_SECONDS)
        self.options["headers"][HEADER] = self._instant.isoformat()
        every = interval_of(self.schedule)
        following = max(self._instant + every - now, timedelta()).total_seconds() if every else state.next
        return schedules.schedstate(True, following)

    def __next__(self) -> Self:
        entry: Self = super().__next__()
        entry.last_run_at = entry.model.last_run_at = self._instant or entry.last_run_at
        return entry


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]  # as above
    """The schedule in the database, followed while this process leads.

    The workers write what has run. So whatever was sent and did not arrive, because the broker was down or wiped or
    another beat was killed over it, is due again once the schedule is read anew: on taking over, after a failure to
    send, and every five minutes.
    """

    Entry = TickEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._leadership = Leadership()
        super().__init__(*args, **kwargs)

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        """Return every entry that is not paused.

        django-celery-beat leaves out crontabs whose hour is more than two hours off, and with them a daily tick that
        was missed while nothing ran for longer than that.
        """
        entries: QuerySet[PeriodicTask] = self.Model.objects.enabled()
        return entries

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if this process leads; return in how many seconds to ask again."""
        led = self._leadership.is_held
        if not self._leadership.prove():
            return WAIT_SECONDS
        if not led:
            self._forget()
        try:
            seconds: float = super().tick(*args, **kwargs)
        except Error as error:
            # Restarted or taken over, the database ends every session of ours, not that of the leadership alone.
            logger.warning("beat.schedule_unread", extra={"error": str(error)})
            close_old_connections()
            self._forget()
        except BrokerError as error:
            logger.warning("beat.broker_away", extra={"error": str(error)})
            self._leadership.give_up()
            return BROKER_WAIT_SECONDS
        return WAIT_SECONDS if self._initial_read else seconds

    def apply_entry(self, entry: TickEntry, producer: Callable[..., Any] | None = None) -> None:
        """Send a tick. One that could not be sent stays due."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # noqa: BLE001  (whatever the broker's client raises)
            logger.warning("beat.not_sent", extra={"entry": entry.name, "error": str(error)})
            self._forget()

    def _ensure_connected(self) -> Any:
        """Connect to the broker at once or not at all: another beat may reach it, and must not wait for this one."""
        return self.connection.ensure_connection(max_retries=0)

    def sync(self) -> None:
        """Write nothing: the workers do."""
        self._dirty.clear()

    def close(self) -> None:
        """Let another beat lead."""
        try:
            super().close()
        finally:
            self._leadership.give_up()

    def _forget(self) -> None:
        self._initial_read, self._heap = True, None
