"""The order of answers: 401, 403, 404, and only then what is wrong with the request: 400, 412, 415, 422."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle

import pytest

from apps.core.ids import new_id
from tests.matrix.calls import call, good_body, rolled_back
from tests.matrix.contract import Contract
from tests.matrix.owner import Owner
from tests.matrix.routes import OPERATIONS, Route, operation_id
from tests.matrix.test_permissions import CAST, ROWS
from tests.matrix.world import World

pytestmark = pytest.mark.commits

CHANGES = [(route, method) for route, method in OPERATIONS if method != "GET" and route.is_tenants]
WITH_BODY = [(route, method) for route, method in OPERATIONS if method not in ("GET", "DELETE")]
CHANGES_BY_ID = [(route, method) for route, method in CHANGES if route.parameters]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a request: its body as bytes, or its headers."""

    raw: bytes | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


FAULTS = {
    "no JSON": Fault(b"{"),
    "an array": Fault(b"[]"),
    "bytes that are not UTF-8": Fault(b'{"a": "\xff"}'),
    "unknown fields": Fault(b'{"surprise": 1}'),
    "a form": Fault(b"a=1", "application/x-www-form-urlencoded"),
    "too large": Fault(b'{"a": "' + b"a" * 1_100_000 + b'"}'),
    "a stale version": Fault(headers={"If-Match": '"999"'}),
    "no version": Fault(headers={"If-Match": "surprise"}),
    "a bad Idempotency-Key": Fault(headers={"Idempotency-Key": "x" * 256}),
}


# Whether a condition on an amount holds, and whether a proof is good, is known once the body is read.
TOLD_BY_THE_BODY = ("condition_failed", "invalid_credentials")


@pytest.fixture(autouse=True)
def nothing_changes(owner: Owner) -> Iterator[None]:
    before = owner.everything()
    yield
    assert owner.everything() == before


def faulty(world: World, member: str, route: Route, method: str, fault: Fault, url: str) -> tuple[int, str]:
    """Return status and code of the answer to a faulty request."""
    body = None if fault.raw is not None else good_body(world, route, method)
    answer = call(
        world.client(member),
        method,
        url,
        body,
        raw=fault.raw,
        content_type=fault.content_type,
        headers=fault.headers,
    )
    return answer.status_code, answer.json()["code"] if answer.status_code >= 400 else ""


@pytest.mark.parametrize(("route", "method"), CHANGES, ids=operation_id)
def test_who_asks_comes_before_what_is_asked(route: Route, method: str, world: World) -> None:
    url = route.url(world.acme.ids)
    cells = dict(zip(CAST, ROWS[route.path, method], strict=True))
    # One member for each refusal: who is refused is the table's own test.
    refused = {
        cell: member
        for member, cell in cells.items()
        if cell.status in (401, 403) and cell.code not in TOLD_BY_THE_BODY
    }
    # The members take turns: each fault is sent by one of them.
    for (name, fault), (cell, member) in zip(FAULTS.items(), cycle(refused.items()), strict=False):
        assert faulty(world, member, route, method, fault, url) == cell, (name, member)


@pytest.mark.parametrize(("route", "method"), CHANGES_BY_ID, ids=operation_id)
def test_what_is_not_there_comes_before_what_is_wrong(route: Route, method: str, world: World) -> None:
    nowhere = {name: new_id() for name in route.parameters}
    urls = route.url(world.globex.ids), route.url(nowhere)
    for (name, fault), url in zip(FAULTS.items(), cycle(urls), strict=False):
        assert faulty(world, "acme_user", route, method, fault, url) == (404, "not_found"), (name, url)


STATUS_OF = {
    "no JSON": (400, "malformed_request"),
    "an array": (400, "malformed_request"),
    "bytes that are not UTF-8": (400, "malformed_request"),
    "unknown fields": (400, "validation_failed"),
    "a form": (415, "unsupported_media_type"),
    "too large": (413, "body_too_large"),
}


@pytest.mark.parametrize(("route", "method"), WITH_BODY, ids=operation_id)
def test_what_is_wrong_with_ones_own(route: Route, method: str, world: World, contract: Contract) -> None:
    """An operation that takes no body looks at none."""
    if not contract.request_fields(route, method):
        return
    for name, expected in STATUS_OF.items():
        assert faulty(world, "acme_user", route, method, FAULTS[name], route.url(world.acme.ids)) == expected, name


@pytest.mark.parametrize(("route", "method"), CHANGES, ids=operation_id)
def test_versions_of_ones_own(route: Route, method: str, world: World, contract: Contract) -> None:
    """Whatever documents If-Match answers 412 to all but the version, in its quotes, and `*`."""
    parameters = contract.document["paths"]["/api/v1/" + route.path][method.lower()].get("parameters", [])
    if "If-Match" not in {parameter["name"] for parameter in parameters}:
        return
    url = route.url(world.acme.ids)
    path = route.path[: route.path.rindex("}") + 1] if route.parameters else route.path
    resource = Route(path, route.view).url(world.acme.ids)
    current = world.client("acme_user").get(resource)["ETag"]
    for stale in ('"0"', '"999"', 'W/"1"', "surprise", '""', '"-1"', '"1", "2"', '"' + "9" * 30 + '"', '"١"'):
        fault = Fault(headers={"If-Match": stale})
        assert faulty(world, "acme_user", route, method, fault, url) == (412, "version_conflict"), stale
    for fresh in (current, "*"):
        with rolled_back():
            status, _code = faulty(world, "acme_user", route, method, Fault(headers={"If-Match": fresh}), url)
            assert status < 300, fresh
