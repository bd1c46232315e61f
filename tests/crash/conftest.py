"""Fixtures of the crash tests."""

import os
from collections.abc import Iterator

import pytest

from tests.crash.ordeal import Ordeal
from tests.crash.web_process import Servers
from tests.orders.storm.conftest import scene, worker_parent
from tests.sandbox_process import SandboxProcess

__all__ = ["scene", "worker_parent"]


@pytest.fixture(scope="session")
def servers(
    own_valkey_database: None, sandbox_process: SandboxProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    environment = {**os.environ, "FINOPS_SANDBOX_URL": sandbox_process.url}
    with Servers(environment, tmp_path_factory.mktemp("servers") / "web.log") as parent:
        yield parent


@pytest.fixture
def ordeal(servers: Servers, database: str) -> Iterator[Ordeal]:
    with Ordeal(servers, database) as begun:
        yield begun
