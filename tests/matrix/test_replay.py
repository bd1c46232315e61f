"""Every POST takes an Idempotency-Key: sent again, it is answered as before and does nothing."""

from typing import Any

import pytest

from tests.matrix.calls import call, good_body
from tests.matrix.routes import OPERATIONS, Route, operation_id
from tests.matrix.test_permissions import CAST, ROWS
from tests.matrix.world import World

# What belongs to an exchange, and not to the answer.
OF_THE_EXCHANGE = {"X-Request-ID", "RateLimit", "Idempotency-Replayed"}
# `/auth/*` takes no key.
POSTS = [(route, method) for route, method in OPERATIONS if method == "POST" and not route.path.startswith("auth/")]


def answer_of(response: Any) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers, but for those of the exchange."""
    headers = {name: value for name, value in response.headers.items() if name not in OF_THE_EXCHANGE}
    return response.status_code, response.content, headers


@pytest.mark.parametrize(("route", "method"), POSTS, ids=operation_id)
def test_a_post_that_is_sent_again_is_answered_as_before(route: Route, method: str, world: World) -> None:
    cells = dict(zip(CAST, ROWS[route.path, method], strict=True))
    member = next(member for member, cell in cells.items() if cell.status < 300)
    body, url = good_body(world, route, method), route.url(world.acme.ids)
    first, again = (
        call(world.client(member), method, url, body, headers={"Idempotency-Key": "again"}) for _time in range(2)
    )
    assert first.status_code < 300
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert answer_of(again) == answer_of(first)
