"""What CONTRACT promises of every endpoint: the document, the request id, queries, lists, problems."""

import base64
import json
from typing import Any
from uuid import UUID

import pytest

from apps.core.ids import new_id
from tests.matrix.calls import call, good_call
from tests.matrix.contract import Contract, check_problem
from tests.matrix.routes import BASE, OPERATIONS, ROUTES, Route, operation_id
from tests.matrix.shares import share, shared
from tests.matrix.world import World

DOCUMENTED = [(route, method) for route, method in OPERATIONS if route.path not in ("docs", "redoc", "openapi.json")]
LISTS = [route for route in ROUTES if route.is_list]


def is_uuid7(text: str) -> bool:
    return UUID(text).version == 7 and str(UUID(text)) == text


def test_the_document_has_every_operation_and_no_other(contract: Contract) -> None:
    assert contract.operations == {(BASE + route.path, method) for route, method in DOCUMENTED}


@pytest.mark.parametrize(("route", "method"), DOCUMENTED, ids=operation_id)
def test_answers_are_as_documented(route: Route, method: str, world: World, contract: Contract) -> None:
    answer = good_call(world, "acme_user", route, method)
    assert answer.status_code < 300, answer.content
    contract.check(answer, route, method)
    assert is_uuid7(answer["X-Request-ID"])


@pytest.mark.parametrize(("route", "method"), DOCUMENTED, ids=operation_id)
def test_refusals_are_as_documented(route: Route, method: str, world: World, contract: Contract) -> None:
    for member in ("acme_viewer", "globex_admin", "anonymous"):
        answer = good_call(world, member, route, method)
        if answer.status_code >= 400:
            contract.check(answer, route, method)


@pytest.mark.parametrize(("route", "method"), shared(OPERATIONS, turn=0), ids=operation_id)
def test_request_id(route: Route, method: str, world: World) -> None:
    url = route.url(world.acme.ids)
    for member in ("acme_viewer", "anonymous"):
        answer = call(world.client(member), method, url, headers={"X-Request-ID": "Req-1.a_B"})
        assert answer["X-Request-ID"] == "Req-1.a_B"
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == "Req-1.a_B"
    answer = call(world.client("anonymous"), method, url, headers={"X-Request-ID": "a b"})
    assert is_uuid7(answer["X-Request-ID"])


@pytest.mark.parametrize("malformed", ["", "a b", "a\nb", "a\r\nb", "é", "x" * 129, 'a"b', "\x00", "{}", "a/b"])
def test_malformed_request_ids_are_replaced(malformed: str, world: World) -> None:
    answer = call(world.client("acme_user"), "GET", "/api/v1/me", headers={"X-Request-ID": malformed})
    assert answer.status_code == 200
    assert is_uuid7(answer["X-Request-ID"])


@pytest.mark.parametrize(("route", "method"), shared(DOCUMENTED, turn=1), ids=operation_id)
def test_unknown_query_parameters(route: Route, method: str, world: World, contract: Contract) -> None:
    for query, given in {"surprise=1": ["surprise"], "format=xml&limits=2": ["format", "limits"]}.items():
        names = [name for name in given if method != "GET" or name not in route.query_fields]
        answer = call(world.client("acme_user"), method, f"{route.url(world.acme.ids)}?{query}", {})
        contract.check(answer, route, method)
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "unknown_query_parameter")
        assert problem["errors"] == [
            {"field": name, "code": "unknown_query_parameter", "message": name} for name in names
        ]


BAD_LIMITS = [
    "0",
    "-1",
    "201",
    "abc",
    "",
    "1.5",
    "1e1",
    "9" * 5000,
    "%00",
    "1&limit=201",
    "1&limit=1",
    "٣",
    "1_0",
    "1.0",
    "%2B1",
]


@pytest.mark.parametrize("route", LISTS, ids=operation_id)
def test_limits(route: Route, world: World, contract: Contract) -> None:
    url, client = route.url(world.acme.ids), world.client("acme_user")
    for good in (1, 200):
        answer = client.get(url, {"limit": good})
        assert answer.status_code == 200
        assert len(answer.json()["data"]) <= good
    for limit in share(BAD_LIMITS, route, "GET"):
        answer = client.get(f"{url}?limit={limit}")
        contract.check(answer, route, "GET")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (400, "validation_failed"), limit
        assert {error["field"] for error in problem["errors"]} == {"limit"}


def cursor_of(values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


BAD_CURSORS = [
    *["abc", "a", "%C3%A9", "A" * 7000, "null", "WzFd.WzFd", "%2B%2F"],
    *map(cursor_of, [[], {}, None, 1, "x", [None], [[]], [{}], [1.5], [True], ["\x00", "\x00"], [1, 2, 3]]),
    *map(cursor_of, [["2026-01-01"] * 3, ["2026-01-01T00:00:00", str(new_id())]]),
]


@pytest.mark.parametrize("route", LISTS, ids=operation_id)
def test_bad_cursors(route: Route, world: World, contract: Contract) -> None:
    url, client = route.url(world.acme.ids), world.client("acme_user")
    for cursor in share(BAD_CURSORS, route, "GET"):
        answer = client.get(f"{url}?cursor={cursor}")
        contract.check(answer, route, "GET")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), cursor
    for cursor in ("", "%00"):
        answer = client.get(f"{url}?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed"), cursor
    for extreme in (
        ["0001-01-01T00:00:00+14:00", str(world.acme.tenant.id)],
        [2**63],
        [-(10**400)],
        ["9999-12-31"] * 2,
    ):
        assert client.get(f"{url}?cursor={cursor_of(extreme)}").status_code in (200, 400)


@pytest.mark.parametrize("route", LISTS, ids=operation_id)
def test_pages_are_the_list(route: Route, world: World, contract: Contract) -> None:
    """One row a page, in the same order, without a gap or a repetition; null ends it. Of long lists the beginning."""
    url, client = route.url(world.acme.ids), world.client("acme_user")
    whole = client.get(url, {"limit": 200}).json()
    assert list(whole) == ["data", "next_cursor"]
    paged: list[Any] = []
    query: dict[str, Any] = {"limit": 1}
    while len(paged) < 20:
        answer = client.get(url, query)
        contract.check(answer, route, "GET")
        paged += answer.json()["data"]
        if answer.json()["next_cursor"] is None:
            assert whole["next_cursor"] is None
            assert len(paged) == len(whole["data"])
            break
        query["cursor"] = answer.json()["next_cursor"]
    assert paged == whole["data"][: len(paged)]


NO_UUIDS = ["1", "nope", "%00", "..", "%2e%2e%2f", "null", "*", "'", "9" * 3000]
BY_ID = [route for route in ROUTES if route.parameters and not route.is_shared]


@pytest.mark.parametrize("route", BY_ID, ids=operation_id)
def test_ids_that_are_no_uuids_are_not_found(route: Route, world: World) -> None:
    real = {name: str(value) for name, value in world.acme.ids.items()}
    spoils = (str.upper, lambda text: text.replace("-", ""), lambda text: text[:-1], lambda text: text + "%0A")
    spoiled = [{name: spoil(text) for name, text in real.items()} for spoil in spoils]
    others = [dict.fromkeys(real, other) for other in NO_UUIDS]
    for method in route.methods:
        for ids in share([*spoiled, *others], route, method):
            answer = call(world.client("acme_user"), method, route.url(ids), {})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), ids
            check_problem(answer)


def test_paths_that_are_no_routes(world: World) -> None:
    paths = ["", "nope", "accounts/", "ACCOUNTS", "accounts//", "../v1/accounts", "accounts;x=1", "accounts%00", "v2"]
    for path in paths:
        for member in ("acme_admin", "anonymous"):
            answer = call(world.client(member), "GET", BASE + path)
            assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json"), path
            assert answer.json()["code"] == "not_found"
            check_problem(answer)


def test_the_type_of_every_problem_met_here_is_a_page(world: World) -> None:
    codes = {"authentication_required", "permission_denied", "not_found", "method_not_allowed", "not_acceptable"}
    codes |= {"validation_failed", "unknown_query_parameter", "invalid_cursor", "malformed_request"}
    codes |= {"unsupported_media_type", "body_too_large", "version_conflict", "internal_error"}
    codes |= {"idempotency_key_required", "idempotency_key_invalid", "idempotency_key_reused"}
    for code in sorted(codes):
        page = world.client("anonymous").get(f"/problems/{code}")
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8"), code
        assert code in page.content.decode()
    assert world.client("anonymous").get("/problems/nope").status_code == 404
