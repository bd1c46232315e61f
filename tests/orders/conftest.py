"""Fixtures of the orders room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orders.broker import NAME, Broker, plugged_in
from tests.orders.floor import Floor, open_floor


@pytest.fixture
def broker(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker in this process that does what the test tells it to."""
    with plugged_in(tmp_path, monkeypatch) as plugged:
        yield plugged


@pytest.fixture
def floor(broker: Broker, acme) -> Floor:
    """Acme's account at that broker. Orders are sent outside of transactions: mark the test `commits`."""
    return open_floor(acme, provider=NAME)
