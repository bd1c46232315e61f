"""The container files, parsed: no Docker engine is needed to find a missing secret or a wrong login role."""

from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.no_database

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_the_production_processes_are_all_there() -> None:
    assert set(SERVICES) == {
        "postgres",
        "valkey",
        "migrate",
        "web",
        "worker",
        "router",
        "sender",
        "beat",
        "stream",
        "sandbox",
    }


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_secret_a_service_reads_is_mounted_and_declared(name: str) -> None:
    service = SERVICES[name]
    mounted = set(service.get("secrets", []))
    assert mounted <= set(COMPOSE["secrets"])
    read = {
        str(value).removeprefix("/run/secrets/")
        for value in (service.get("environment") or {}).values()
        if str(value).startswith("/run/secrets/")
    }
    assert read <= mounted


def test_web_and_workers_log_in_with_their_own_roles() -> None:
    names = ("web", "worker", "router", "sender", "stream", "beat")
    logins = {name: SERVICES[name]["environment"].get("DATABASE_URL_FILE") for name in names}
    assert logins == {
        "web": "/run/secrets/database_web_url",
        "worker": "/run/secrets/database_worker_url",
        "router": "/run/secrets/database_worker_url",
        "sender": "/run/secrets/database_worker_url",
        "stream": "/run/secrets/database_worker_url",
        "beat": "/run/secrets/database_worker_url",
    }


def test_no_process_can_read_the_login_of_another() -> None:
    logins = ("owner", "web", "worker")
    held = {
        name: [login for login in logins if f"database_{login}_url" in service.get("secrets", [])]
        for name, service in SERVICES.items()
    }
    workers = ("worker", "router", "sender", "beat", "stream")
    none = ("postgres", "valkey", "sandbox")
    assert held == {
        "migrate": ["owner", "web"],
        "web": ["web"],
        **{name: ["worker"] for name in workers},
        **{name: [] for name in none},
    }


def test_every_volume_and_dependency_exists() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on") or {}) <= set(SERVICES), name
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if not volume.startswith(".")}
        assert named <= set(COMPOSE["volumes"]), name
        bound = [volume.split(":")[0] for volume in service.get("volumes", []) if volume.startswith(".")]
        assert all((ROOT / path).exists() for path in bound), name


def test_the_image_runs_as_an_unprivileged_user_and_carries_no_secret() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "USER finops" in dockerfile.splitlines()
    assert "--require-hashes" in dockerfile
    assert "finops.wsgi:application" in dockerfile
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".finops*", ".git", "secrets"} <= set(ignored)
    files = {Path(secret["file"]).parts[0] for secret in COMPOSE["secrets"].values()}
    assert files == {"secrets"}, "all of them are in the folder that the image leaves out"


def test_the_health_check_asks_a_probe() -> None:
    assert "http://127.0.0.1:8000/readyz" in SERVICES["web"]["healthcheck"]["test"][-1]


def test_web_and_workers_count_in_folders_of_their_own_and_the_workers_serve_theirs() -> None:
    for name in ("web", "worker", "router", "sender"):
        assert SERVICES[name]["tmpfs"] == [SERVICES[name]["environment"]["PROMETHEUS_MULTIPROC_DIR"]]
    for worker in (SERVICES["worker"], SERVICES["router"], SERVICES["sender"]):
        assert worker["expose"] == [worker["environment"]["FINOPS_METRICS_PORT"]]
        assert "ports" not in worker


def test_every_queue_has_exactly_one_worker() -> None:
    assert SERVICES["worker"]["command"][-4:-2] == ["--exclude-queues", "webhooks,orders"]
    assert SERVICES["router"]["command"][-6:-4] == ["--queues", "orders"]
    assert SERVICES["sender"]["command"][-4:-2] == ["--queues", "webhooks"]


def test_every_process_can_be_told_of_the_sandbox_and_of_proxies() -> None:
    names = {"FINOPS_SANDBOX_URL", "FINOPS_ALLOW_SANDBOX", "FINOPS_TRUSTED_PROXIES"}
    assert all(names <= set(SERVICES[name]["environment"]) for name in ("migrate", "web", "worker", "stream", "beat"))


def test_the_image_keeps_a_place_for_the_sandbox_that_its_user_can_write() -> None:
    assert SERVICES["sandbox"]["volumes"] == ["sandbox:/state"]
    assert "install --directory --owner finops /state" in (ROOT / "Dockerfile").read_text()
