"""Fixtures of the market room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from tests.factories.venue import FIRST, Venue, plugged_in


@pytest.fixture
def venue(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    """The first of two brokers in this process, empty; nothing is under way."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    with plugged_in(tmp_path, monkeypatch):
        yield FIRST
