"""The demo is there once, under the same names, however often its creation was interrupted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.core.scope import staff_scope
from apps.providers.models import Connection
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.users.models import Authenticator, User
from finops.demo import ensure_demo
from tests import databases
from tests.conftest import client_for
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.commits


class InterruptedAtLeaf:
    """Ctrl-C at the n-th audit leaf: every change leaves one, so each transaction of the demo is cut once."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        if sql.startswith('INSERT INTO "audit_entry"'):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return execute(sql, *arguments)


def assert_whole(path: Path) -> None:
    """Compare demo.json with the database and try everything that it promises."""
    demo = json.loads(path.read_text())
    assert path.stat().st_mode & 0o777 == 0o600
    assert [tenant["slug"] for tenant in demo["tenants"]] == ["acme", "globex"]
    people = {login["username"]: login["password"] for login in logins(demo)}
    assert sorted(people) == ["acme-owner", "globex-owner", "staff"]
    with staff_scope():
        users = {user.username: user for user in User.objects.all()}
        assert sorted(users) == sorted(people)
        assert all(users[name].check_password(password) for name, password in people.items())
        device = Authenticator.objects.get()
        assert device.secret == demo["staff"]["totp_secret"]
        assert (device.user_id, device.confirmed) == (users["staff"].id, True)
        assert {str(tenant.id): tenant.slug for tenant in Tenant.objects.all()} == {
            tenant["id"]: tenant["slug"] for tenant in demo["tenants"]
        }
        for tenant in demo["tenants"]:
            assert sorted(Connection.objects.filter(tenant_id=tenant["id"]).values_list("provider", flat=True)) == [
                "alpaca",
                "teller",
            ]
            assert Membership.objects.get(tenant_id=tenant["id"]).user_id == users[f"{tenant['slug']}-owner"].id
            assert ApiKey.objects.filter(tenant_id=tenant["id"], revoked_at=None).count() == 1
    for tenant in demo["tenants"]:
        answer = client_for(tenant["api_key"]).get("/api/v1/tenant")
        assert (answer.status_code, answer.json()["slug"]) == (200, tenant["slug"])


def logins(demo: dict[str, Any]) -> list[dict[str, str]]:
    return [demo["staff"], *(tenant["owner"] for tenant in demo["tenants"])]


@pytest.mark.parametrize("stride", [4, pytest.param(1, marks=pytest.mark.prove)])
def test_a_creation_interrupted_at_any_step_is_completed_by_the_next(
    tmp_path: Path, sandbox: SandboxProcess, emptied_database: databases.EmptiedDatabase, stride: int
) -> None:
    steps = 0
    while True:
        path = tmp_path / f"{steps}.json"
        databases.log_in("web", emptied_database.take())
        interrupted = was_interrupted(path, InterruptedAtLeaf(steps))
        assert path.exists() is not interrupted
        assert ensure_demo(path) is interrupted
        assert_whole(path)
        if not interrupted:
            break
        steps += stride
    assert steps >= 8


def was_interrupted(path: Path, wrapper: InterruptedAtLeaf) -> bool:
    try:
        with connection.execute_wrapper(wrapper):
            ensure_demo(path)
    except KeyboardInterrupt:
        return True
    return False


def test_a_lost_file_is_written_anew_for_the_same_demo(tmp_path: Path, sandbox: SandboxProcess) -> None:
    path = tmp_path / "demo.json"
    assert ensure_demo(path) is True
    before = json.loads(path.read_text())
    path.unlink()
    assert ensure_demo(path) is True
    assert_whole(path)
    after = json.loads(path.read_text())
    assert after["staff"]["totp_secret"] == before["staff"]["totp_secret"]
    assert [tenant["id"] for tenant in after["tenants"]] == [tenant["id"] for tenant in before["tenants"]]
    assert client_for(before["tenants"][0]["api_key"]).get("/api/v1/tenant").status_code == 401
    assert ensure_demo(path) is False
    assert json.loads(path.read_text()) == after


@pytest.mark.parametrize(
    "content", ['{"tenants": []}', "{", '{"tenants": [{"id": "0199a0f2-0000-7000-8000-0000000000aa"}]}']
)
def test_a_file_about_another_database_is_replaced(tmp_path: Path, sandbox: SandboxProcess, content: str) -> None:
    path = tmp_path / "demo.json"
    path.write_text(content)
    assert ensure_demo(path) is True
    assert_whole(path)


def test_the_banks_of_the_demo_send_their_webhooks_to_its_connections(tmp_path, sandbox, settings) -> None:
    settings.TELLER_WEBHOOK_SECRETS, settings.BASE_URL = ["signing-secret"], "http://127.0.0.1:1"
    for name in ("first.json", "second.json"):
        ensure_demo(tmp_path / name)
    settings.BASE_URL = "http://127.0.0.1:2"
    assert ensure_demo(tmp_path / "second.json") is False
    targets = sandbox.control("GET", "/teller/webhooks")["targets"]
    sandbox.control("DELETE", "/teller/webhooks")
    with staff_scope():
        ids = list(Connection.objects.filter(provider="teller").order_by("tenant_id").values_list("id", flat=True))
    ports = (1, 2)  # the platform was stopped, and listens on another one now
    urls = [f"http://127.0.0.1:{port}/hooks/teller/{id_}" for port in ports for id_ in ids]
    assert [target["url"] for target in targets] == urls
    assert [target["token"] for target in targets] == ["test_tkn_acme", "test_tkn_globex"] * 2


def test_what_staff_took_away_is_not_brought_back(tmp_path: Path, sandbox: SandboxProcess) -> None:
    path = tmp_path / "demo.json"
    ensure_demo(path)
    with staff_scope():
        User.objects.filter(username="acme-owner").update(is_active=False)
    path.unlink()
    ensure_demo(path)
    with staff_scope():
        assert User.objects.get(username="acme-owner").is_active is False
