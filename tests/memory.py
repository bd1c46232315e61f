"""What processes share in Valkey: limits, breakers, flights, turns."""

from functools import cache

import redis
from django.conf import settings


def forget_all() -> None:
    """Empty the Valkey database of these tests, as if it had been wiped."""
    _client(settings.REDIS_URL).flushdb()


@cache
def _client(url: str) -> redis.Redis:
    """Return a client that keeps its connection: a new one costs ten times what it is used for."""
    return redis.Redis.from_url(url)
