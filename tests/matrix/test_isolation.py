"""With acme's credentials nothing of globex can be seen or changed, whatever the endpoint.

Every request here is committed. The owner of acme's access token belongs to globex, too: a token is bound to one
tenant whoever holds it.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.serializers import CharField, UUIDField

from apps.core.ids import new_id
from tests.factories.users import PASSWORD
from tests.matrix.calls import call, good_body, rolled_back
from tests.matrix.contract import Contract
from tests.matrix.owner import Owner
from tests.matrix.routes import OPERATIONS, ROUTES, Route, operation_id
from tests.matrix.world import IDEMPOTENCY_KEY, World, new_api_key

pytestmark = pytest.mark.commits

CALLERS = ("acme_admin", "acme_user")
BY_ID = [(route, method) for route, method in OPERATIONS if route.parameters and not route.is_shared]
LISTS = [route for route in ROUTES if route.is_list and not route.parameters and not route.is_shared]
LISTS_BY_ID = [route for route in ROUTES if route.is_list and route.parameters]


@pytest.fixture(scope="session")
def secrets(world: World, owner: Owner) -> set[str]:
    """Every string in globex's rows that acme's rows, or the code, have not as well."""
    texts = owner.texts_of(world.globex.tenant.id) - owner.texts_of(world.acme.tenant.id)
    # The ids of a batch's rows are stored as bytes.
    telling = {text for text in texts if len(text) > 5} | {str(world.globex.ids["row_id"])}
    assert {
        "globex",
        str(world.globex.tenant.id),
        "acc_globex_operating",
        "globex PAYROLL 77",
        "globex-clerk",
    } <= telling
    assert {str(value) for value in world.globex.ids.values()} <= telling
    return telling


@pytest.fixture(autouse=True)
def globex_is_untouched(world: World, owner: Owner) -> Iterator[None]:
    """Compare globex's rows, byte for byte, in every table with a notion of a tenant."""
    before = owner.rows_of(world.globex.tenant.id)
    assert {table for table, (count, _digest) in before.items() if not count} == {"core_readonlyswitch"}
    yield
    assert owner.rows_of(world.globex.tenant.id) == before


def assert_silent(answer: Any, secrets: set[str], *, said: str = "") -> None:
    """Check that body and headers hold nothing of globex but what the request itself `said`."""
    told = answer.content.decode() + "\n".join(f"{name}: {value}" for name, value in answer.items())
    told = told.replace(said, "") if said else told
    assert {secret for secret in secrets if secret in told} == set()


def comparable(answer: Any) -> tuple[Any, ...]:
    """Return status, headers and body without the request's own id and path."""
    headers = {name: value for name, value in answer.items() if name != "X-Request-ID"}
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body = {key: value for key, value in body.items() if key not in ("request_id", "instance")}
    headers.pop("Content-Length", None)
    return answer.status_code, headers, body


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("route", "method"), BY_ID, ids=operation_id)
def test_an_id_of_globex_is_answered_like_no_id_at_all(
    route: Route, method: str, caller: str, world: World, secrets: set[str]
) -> None:
    body = good_body(world, route, method)
    nowhere = {name: new_id() for name in route.parameters}
    theirs, unknown = route.url(world.globex.ids), route.url(nowhere)
    client = world.client(caller)
    answer, other = call(client, method, theirs, body), call(client, method, unknown, body)
    assert comparable(answer) == comparable(other)
    assert answer.status_code == 404 or (answer.status_code == 403 and route.path.startswith("auth/"))
    assert_silent(answer, secrets, said=theirs)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", [route for route in ROUTES if "GET" in route.methods], ids=operation_id)
def test_nothing_of_globex_is_in_what_acme_reads(route: Route, caller: str, world: World, secrets: set[str]) -> None:
    query = {"limit": 200} if route.is_list else route.required_query
    answer = world.client(caller).get(route.url(world.acme.ids), query)
    assert answer.status_code in (200, 403), answer.content
    if route.is_list and answer.status_code == 200:
        assert answer.json()["data"], "an empty list proves nothing"
    assert_silent(answer, secrets)


def filters_of(route: Route) -> list[str]:
    """Return the query parameters that take an id or a text."""
    wanted = [name for name, field in route.query_fields.items() if isinstance(field, (UUIDField, CharField))]
    return [name for name in wanted if name != "cursor"]


FILTERS = [(route, name) for route in LISTS for name in filters_of(route)]


@pytest.mark.parametrize(("route", "name"), FILTERS, ids=operation_id)
def test_filters_by_what_globex_has_find_nothing(route: Route, name: str, world: World, secrets: set[str]) -> None:
    words = [str(value) for value in (world.globex.tenant.id, *world.globex.ids.values())]
    if isinstance(route.query_fields[name], CharField):
        words += ["globex", "globex PAYROLL 77", "acc_globex_operating", "txn_globex_posted", "globex-clerk"]
    assert set(words) <= secrets
    for word in words:
        answer = world.client("acme_admin").get(route.url({}), {name: word})
        assert (answer.status_code, answer.json()) == (200, {"data": [], "next_cursor": None}), word


@pytest.mark.parametrize(("route", "method"), OPERATIONS, ids=operation_id)
def test_an_id_of_globex_in_a_body_is_answered_like_no_id_at_all(
    route: Route, method: str, world: World, contract: Contract, secrets: set[str]
) -> None:
    fields = contract.request_fields(route, method) if method != "GET" and route.is_tenants else {}
    body, url = good_body(world, route, method), route.url(world.acme.ids)
    for name in [name for name, schema in fields.items() if schema.get("format") == "uuid"]:
        unknown = call(world.client("acme_user"), method, url, {**(body or {}), name: str(new_id())})
        for theirs in (world.globex.tenant.id, *world.globex.ids.values()):
            answer = call(world.client("acme_user"), method, url, {**(body or {}), name: str(theirs)})
            assert comparable(answer) == comparable(unknown)
            # A proof to a challenge that is not theirs is a wrong one.
            assert answer.status_code in ((401,) if route.path.startswith("auth/") else (400, 404))
            assert_silent(answer, secrets, said=str(theirs))


@pytest.mark.parametrize("route", [*LISTS, *LISTS_BY_ID], ids=operation_id)
def test_a_cursor_of_globex_opens_nothing(route: Route, world: World, secrets: set[str]) -> None:
    """A cursor holds its row's ordering values: those of one's own row, and another's are but a place to start."""
    theirs = world.client("globex_user").get(route.url(world.globex.ids), {"limit": 1}).json()
    assert set(values_of(theirs["next_cursor"])) <= set(texts_of(theirs["data"][0]))
    query = {"cursor": theirs["next_cursor"], "limit": 200}
    answer = world.client("acme_user").get(route.url(world.acme.ids), query)
    assert answer.status_code == 200
    assert_silent(answer, secrets)


def test_the_same_enrolment_can_be_connected_by_both(world: World, secrets: set[str]) -> None:
    """A refusal would tell acme that somebody else has this bank account."""
    body = {"provider": "teller", "credentials": {"access_token": "test_tkn_globex"}, "label": "ours as well"}
    with rolled_back():
        answer = call(world.client("acme_admin"), "POST", "/api/v1/connections", body)
    assert answer.status_code == 201
    assert_silent(answer, secrets)


def test_an_idempotency_key_of_globex_replays_nothing(world: World) -> None:
    ours, theirs = (
        new_api_key(world.client(member), headers={"Idempotency-Key": IDEMPOTENCY_KEY})
        for member in ("acme_admin", "globex_admin")
    )
    assert (ours["Idempotency-Replayed"], theirs["Idempotency-Replayed"]) == ("true", "true")
    assert ours.json()["id"] != theirs.json()["id"]
    assert ours.json()["secret"] != theirs.json()["secret"]


def test_signing_in_tells_no_other_tenant_from_none(world: World) -> None:
    body = {"username": "acme-clerk", "password": PASSWORD}
    for named in ("slug", "id"):
        theirs = getattr(world.globex.tenant, named)
        unknown = "initech" if named == "slug" else new_id()
        answers = [
            call(world.client("anonymous"), "POST", "/api/v1/auth/token", {**body, "tenant": str(tenant)})
            for tenant in (theirs, unknown)
        ]
        assert comparable(answers[0]) == comparable(answers[1])
        assert (answers[0].status_code, answers[0].json()["code"]) == (403, "not_a_member")


def test_one_user_in_two_tenants_sees_the_sessions_of_the_tokens_tenant(world: World) -> None:
    ours, theirs = (
        {row["id"] for row in world.client(member).get("/api/v1/auth/sessions").json()["data"]}
        for member in ("acme_user", "globex_user")
    )
    assert (len(ours), len(theirs), ours & theirs) == (2, 2, set())
    assert str(world.acme.ids["session_id"]) in ours
    assert str(world.globex.ids["session_id"]) in theirs


def values_of(cursor: str) -> list[str]:
    """Return the values in a cursor, as text."""
    return [str(value) for value in json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))]


def texts_of(value: Any) -> Iterator[str]:
    """Return every value in an answer, as text."""
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from texts_of(member)
    else:
        yield str(value)
