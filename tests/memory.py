"""What processes share in Valkey: limits, breakers, flights, turns."""

import redis
from django.conf import settings


def forget_all() -> None:
    """Empty the Valkey database of these tests, as if it had been wiped."""
    with redis.Redis.from_url(settings.REDIS_URL) as valkey:
        valkey.flushdb()
