"""The engines, a database and the sandbox for one run of the benchmarks."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg

from finops.embedded import ports
from finops.embedded.engines import Engines
from finops.embedded.environment import for_sandbox, platform_environment

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0


@contextmanager
def platform() -> Iterator[Mapping[str, str]]:
    """Start engines with production's durability, a fresh migrated database and the sandbox; yield the environment.

    The state is kept under FINOPS_BENCH_HOME (`.finops-bench`), so that the next run starts sooner.
    """
    home = Path(os.environ.get("FINOPS_BENCH_HOME", ROOT / ".finops-bench"))
    home.mkdir(mode=0o755, exist_ok=True)
    with Engines(home, allow_createdb=True) as engines:
        database = _create_database(engines)
        urls = {
            "DATABASE_URL": engines.database_url("finops_web", database),
            "DATABASE_WORKER_URL": engines.database_url("finops_worker", database),
            "DATABASE_OWNER_URL": engines.database_url("finops_owner", database),
            "REDIS_URL": engines.environment["REDIS_URL"],
        }
        port = ports.choose()
        sandbox = {"FINOPS_SANDBOX_PORT": str(port), "FINOPS_SANDBOX_URL": f"http://127.0.0.1:{port}"}
        # Requests are counted as always; no client is held back.
        wide = ",".join(f"{name}=100000/1000000/10000" for name in ("key", "user", "tenant", "address"))
        quiet = {"FINOPS_LOG_LEVEL": "ERROR", "FINOPS_RATE_LIMITS": wide}
        environment = platform_environment({**os.environ, **urls, **sandbox, **quiet}, engines.home)
        run(["manage.py", "migrate", "--no-input", "--verbosity=0"], environment)
        command = ["-m", "sandbox", "--port", str(port), "--state", str(home / "sandbox"), "--seed", "7"]
        with process(command, for_sandbox(environment), ready=f"{sandbox['FINOPS_SANDBOX_URL']}/_control/health"):
            yield environment


@contextmanager
def process(arguments: list[str], environment: Mapping[str, str], *, ready: str) -> Iterator[int]:
    """Run a Python process until the block ends, and yield its id; `ready` is a URL that answers 200 once it serves."""
    child = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=dict(environment), stdout=subprocess.DEVNULL)
    try:
        _await(ready, child)
        yield child.pid
    finally:
        child.terminate()
        child.wait(timeout=20)


def run(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Run a Python command to its end."""
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=dict(environment), check=True, timeout=120)


def _create_database(engines: Engines) -> str:
    """Create an empty database, and drop those of earlier runs: at their end someone was still connected."""
    name = f"bench_{uuid4().hex[:12]}"
    with psycopg.connect(engines.database_url("finops_owner"), autocommit=True) as owner:
        left = owner.execute("SELECT datname FROM pg_database WHERE datname LIKE 'bench\\_%'").fetchall()
        for (database,) in left:
            owner.execute(f"DROP DATABASE {database}")
        owner.execute(f"CREATE DATABASE {name} TEMPLATE finops")
    return name


def _await(url: str, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")
