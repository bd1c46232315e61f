"""Fixtures of the kill tests."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests import databases
from tests.forks import Forks
from tests.orders.floor import open_alpaca_floor
from tests.orders.storm.scene import Scene
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def scene(sandbox: SandboxProcess, acme, database: str, forks: Forks) -> Iterator[Scene]:
    """Acme's paper account, where orders wait until the test lets them be filled."""
    label = f"storm-{uuid4().hex}"
    keys = sandbox.credentials(label)["alpaca"]
    desk = open_alpaca_floor(acme, sandbox, label)
    sandbox.control("POST", "/alpaca/execution", key_id=keys["key_id"], hold=True, ack_ms=0)
    with (
        databases.as_owner(database) as owner,
        databases.as_owner(database) as blocker,
    ):
        yield Scene(desk, sandbox, keys["key_id"], forks, database, owner, blocker)
    sandbox.clear_faults()
