"""Fixtures of the market room."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.factories.venue import FIRST, Venue, plugged_in
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def venue(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    """The first of two brokers in this process, empty; nothing is under way."""
    with plugged_in(tmp_path, monkeypatch):
        yield FIRST


@pytest.fixture
def keys(sandbox: SandboxProcess) -> Iterator[dict[str, str]]:
    """The keys of an Alpaca account of the test's own, in a sandbox whose prices go their way."""
    credentials: dict[str, str] = sandbox.credentials(uuid4().hex)["alpaca"]
    yield credentials
    sandbox.clear_faults()
    sandbox.control("POST", "/alpaca/quote", symbol="*", release=True, frozen=False, quoteless=False, halted=False)
    sandbox.control("POST", "/alpaca/market", open=True, clock_skew_seconds=0)
