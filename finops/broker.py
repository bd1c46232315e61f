"""Valkey or Redis as a broker of hints: what is lost is sent again, so nothing is acknowledged and nothing put back.

kombu keeps what a worker holds in a list on the broker, and puts it back when the connection ends. A worker that held a
hint when its broker went away failed over that (kombu 5.7: `_connparams` of a transport that has no client any more,
an AttributeError where only connection errors are expected) and exited, with every queue that it served.
"""

from kombu.transport import redis


class Channel(redis.Channel):
    """A channel whose messages are gone once they are read."""

    ack_emulation = False
    do_restore = False


class Transport(redis.Transport):
    """kombu's transport with such channels (settings: CELERY_BROKER_TRANSPORT)."""

    Channel = Channel
