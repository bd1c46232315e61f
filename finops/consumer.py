"""How a worker comes back to a broker that was away: Celery asks ever more seldom, and has no setting for it."""

from functools import partial

from celery.worker import consumer
from kombu import Connection

PAUSE_SECONDS = 2


class Consumer(consumer.Consumer):
    """Asks for its broker every two seconds, however long it is away (settings: CELERY_WORKER_CONSUMER)."""

    def ensure_connected(self, conn: Connection) -> Connection:
        """Return the connection once it is made."""
        conn.ensure_connection = partial(  # type: ignore[method-assign]
            conn.ensure_connection, interval_start=PAUSE_SECONDS, interval_step=0, interval_max=PAUSE_SECONDS
        )
        return super().ensure_connected(conn)
