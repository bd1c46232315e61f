"""Fixtures of the crash tests."""

from collections.abc import Iterator

import pytest

from tests.crash.ordeal import Ordeal
from tests.forks import Forks
from tests.orders.storm.conftest import scene

__all__ = ["scene"]


@pytest.fixture
def ordeal(forks: Forks, database: str) -> Iterator[Ordeal]:
    with Ordeal(forks, database) as begun:
        yield begun
