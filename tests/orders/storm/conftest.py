"""Fixtures of the kill tests."""

import os
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
import redis
from django.conf import settings

from tests import databases
from tests.orders.floor import open_alpaca_floor
from tests.orders.storm.scene import Scene
from tests.orders.storm.worker_process import Workers
from tests.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def worker_parent(
    own_valkey_database: None, sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workers]:
    """The process that workers are forked from; importing everything takes seconds, and is done once."""
    environment = {**os.environ, "FINOPS_SANDBOX_URL": sandbox_process.url}
    with Workers(environment, tmp_path_factory.mktemp("workers") / "worker.log") as workers:
        yield workers


@pytest.fixture
def scene(sandbox: SandboxProcess, acme, database: str, worker_parent: Workers) -> Iterator[Scene]:
    """Acme's paper account, where orders wait until the test lets them be filled."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    label = f"storm-{uuid4().hex}"
    keys = sandbox.credentials(label)["alpaca"]
    desk = open_alpaca_floor(acme, sandbox, label)
    sandbox.control("POST", "/alpaca/execution", key_id=keys["key_id"], hold=True, ack_ms=0)
    worker_parent.database = database
    with (
        psycopg.connect(databases.url("owner", database), autocommit=True) as owner,
        psycopg.connect(databases.url("owner", database), autocommit=True) as blocker,
    ):
        yield Scene(desk, sandbox, keys["key_id"], worker_parent, owner, blocker)
    sandbox.clear_faults()
