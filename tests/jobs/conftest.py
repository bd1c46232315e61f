"""Fixtures of the jobs tests."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis

from apps.jobs import registry
from finops.embedded.engines import Engines
from tests.jobs.worker_process import WorkerProcess
from tests.providers.conftest import switch_read_only_as_owner

__all__ = ["switch_read_only_as_owner"]


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Let each test register kinds that end with it."""
    with registry.temporarily():
        yield


@pytest.fixture(scope="module")
def engines() -> Iterator[Engines]:
    """A Valkey that may be wiped and killed without disturbing other tests."""
    with TemporaryDirectory(prefix="finops-valkey-") as home:
        # Made for its maker alone, but the engine may run as another user.
        Path(home).chmod(0o755)
        with Engines(Path(home), postgres=False, tuning="test") as engines:
            yield engines


@pytest.fixture
def valkey_url(engines: Engines) -> str:
    url = engines.environment["REDIS_URL"]
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def environment(valkey_url: str, process_environment: dict[str, str]) -> dict[str, str]:
    return {**process_environment, "REDIS_URL": valkey_url, "BROKER_URL": valkey_url}


@pytest.fixture
def worker(environment: dict[str, str], tmp_path: Path) -> Iterator[WorkerProcess]:
    with WorkerProcess(environment, tmp_path / "worker.log") as process:
        yield process
