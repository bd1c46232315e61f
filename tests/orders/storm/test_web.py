"""The web process dies during `POST /orders`: the same key makes one order, and it is sent once."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.core.scope import tenant_scope
from apps.orders.models import Order
from tests import databases
from tests.conftest import client_for
from tests.factories.tenants import make_api_key
from tests.orders.storm.scene import Scene, wait_for
from tests.orders.storm.web_process import WebProcess

pytestmark = pytest.mark.worker_login

URL = "/api/v1/orders"


@pytest.fixture
def web(scene: Scene, process_environment: dict[str, str], tmp_path: Path) -> Iterator[WebProcess]:
    environment = {**process_environment, "FINOPS_SANDBOX_URL": scene.sandbox.url}
    with WebProcess(environment, tmp_path / "web.log") as process:
        yield process


class Client:
    """Posts one order under one key, from a thread, until it has an answer."""

    def __init__(self, scene: Scene, web: WebProcess) -> None:
        self.web, self.secret = web, make_api_key(scene.desk.tenant, role="trader")
        self.body = {
            "account_id": str(scene.desk.account.id),
            "instrument": scene.desk.listing.instrument.key,
            "side": "buy",
            "type": "market",
            "quantity": "3",
            "time_in_force": "day",
        }
        self.answers: list[httpx.Response] = []
        self._thread = threading.Thread(target=self._post, daemon=True)

    def post(self, key: str = "one and the same") -> httpx.Response:
        return self.web.post(URL, self.body, key=key, secret=self.secret)

    def post_here(self, key: str = "one and the same") -> Any:
        """Post to another process: this one."""
        headers = {"Idempotency-Key": key}
        return client_for(self.secret).post(URL, self.body, format="json", headers=headers)

    def start(self) -> None:
        self._thread.start()

    def await_end(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _post(self) -> None:
        try:
            self.answers.append(self.post())
        except httpx.HTTPError:
            return  # the server died under it


def orders_of(scene: Scene) -> list[Order]:
    with tenant_scope(scene.desk.tenant.id):
        return list(Order.objects.all())


def test_killed_before_and_after_the_commit(scene: Scene, web: WebProcess, database: str):
    client = Client(scene, web)
    with scene.holding_up_account():
        client.start()
        scene.wait_until_held_up()
        web.kill()
    client.await_end()
    assert (client.answers, orders_of(scene)) == ([], [])

    web.start()
    client = Client(scene, web)
    client.start()
    wait_for(lambda: scene.number("SELECT count(*) FROM orders_order") == 1, what="the commit")
    web.kill()
    client.await_end()

    databases.log_in("web", database)
    answer: Any = client.post_here()
    databases.log_in("worker", database)
    assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (201, "true")
    (order,) = orders_of(scene)
    assert (answer.json()["id"], answer.json()["denial"]) == (str(order.id), None)
    assert all(earlier.content == answer.content for earlier in client.answers)
    scene.take_over()
    scene.assert_once(order, status="accepted")
    assert scene.posts() == 1
