"""Fixtures of the market room."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from tests.factories.venue import FIRST, Venue, plugged_in
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def venue(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    """The first of two brokers in this process, empty; nothing is under way."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    with plugged_in(tmp_path, monkeypatch):
        yield FIRST


@pytest.fixture
def keys(sandbox: SandboxProcess) -> Iterator[dict[str, str]]:
    """The keys of an Alpaca account of the test's own, in a sandbox whose prices go their way."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    credentials: dict[str, str] = sandbox.credentials(uuid4().hex)["alpaca"]
    yield credentials
    sandbox.clear_faults()
    sandbox.control("POST", "/alpaca/quote", symbol="*", release=True, frozen=False, quoteless=False, halted=False)
    sandbox.control("POST", "/alpaca/market", open=True, clock_skew_seconds=0)
