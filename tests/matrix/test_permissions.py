"""Who may do what: every operation of the API, by every member of the cast, upon acme's rows."""

from itertools import cycle, islice
from typing import Any, NamedTuple

import pytest

from apps.core.errors import ERRORS
from tests.matrix.calls import call, good_body, good_call, rolled_back
from tests.matrix.owner import Owner
from tests.matrix.routes import METHODS, OPERATIONS, ROUTES, Route, operation_id
from tests.matrix.shares import share
from tests.matrix.world import World

# The API keys have their role's permissions; acme_user is acme's owner with an access token, staff have signed in
# to the admin, which is nothing to the API. acme_desk is a member with a role of the tenant's own: it may read members,
# accounts and orders, and trade only what it placed itself and what is worth next to nothing. acme_grantee was granted
# one account, to read it and to trade there. A refusal's code is the status's, unless the cell names it.
CAST = (
    "acme_admin",
    "acme_trader",
    "acme_viewer",
    "acme_user",
    "globex_admin",
    "staff",
    "anonymous",
    "acme_grantee",
    "acme_desk",
)
MATRIX = """
                                               admin trader viewer user   globex   staff anon grantee desk
GET     accounts                                 200  200    200   200     200      401   401 200   200
GET     accounts/{account_id}                    200  200    200   200     404      401   401 200   200
GET     api-keys                                 200  403    403   200     200      401   401 403   403
POST    api-keys                                 201  403    403   201     201      401   401 403   403
GET     api-keys/{api_key_id}                    200  403    403   200     404      401   401 403   403
DELETE  api-keys/{api_key_id}                    204  403    403   204     404      401   401 403   403
POST    api-keys/{api_key_id}/roll               201  403    403   201     404      401   401 403   403
GET     audit/checkpoint                         200  403    403   200     200      401   401 403   403
GET     audit/consistency                        200  403    403   200     200      401   401 403   403
GET     audit/entries                            200  403    403   200     200      401   401 403   403
GET     audit/entries/{entry_id}/rows/{row_id}   200  403    403   200     404      401   401 403   403
GET     audit/export                             200  403    403   200     200      401   401 403   403
GET     audit/proof/{entry_id}                   200  403    403   200     404      401   401 403   403
GET     audit/public-key                         200  403    403   200     200      401   401 403   403
GET     audit/verifier                           200  200    200   200     200      200   200 200   200
GET     auth/factors                             403  403    403   200     403      401   401 200   200
DELETE  auth/factors/{factor_id}                 403  403    403   204     403      401   401 404   404
POST    auth/factors/passkeys                    403  403    403   201     403      401   401 201   201
POST    auth/factors/passkeys/{challenge_id}/confirm 403 403 403   200     403      401   401 404   404
POST    auth/factors/recovery-codes 403 403 403 201 403 401 401 409:no_second_factor 409:no_second_factor
POST    auth/factors/totp                        403  403    403   201     403      401   401 201   201
POST    auth/factors/totp/{factor_id}/confirm    403  403    403   200     403      401   401 404   404
POST    auth/password                            403  403    403   204     403      401   401 204   204
POST    auth/password/reset                      202  202    202   202     202      202   202 202   202
POST    auth/password/reset/confirm              204  204    204   204     204      204   204 204   204
POST    auth/passkeys/challenge                  201  201    201   201     201      201   201 201   201
POST    auth/reauthenticate                      403  403    403   200     403      401   401 200   200
POST    auth/reauthenticate/challenge            403  403    403   201     403      401   401 201   201
POST    auth/reauthenticate/passkey 403 403 403 200 403 401 401 401:invalid_credentials 401:invalid_credentials
GET     auth/sessions                            403  403    403   200     403      401   401 200   200
DELETE  auth/sessions                            403  403    403   204     403      401   401 204   204
DELETE  auth/sessions/{session_id}               403  403    403   204     403      401   401 404   404
POST    auth/token                               200  200    200   200     200      200   200 200   200
POST    auth/token/passkey                       200  200    200   200     200      200   200 200   200
POST    auth/token/refresh                       200  200    200   200     200      200   200 200   200
POST    auth/token/revoke                        204  204    204   204     204      204   204 204   204
GET     connections                              200  200    200   200     200      401   401 403   403
POST    connections                              201  403    403   201     201      401   401 403   403
GET     connections/{connection_id}              200  200    200   200     404      401   401 403   403
DELETE  connections/{connection_id}              204  403    403   204     404      401   401 403   403
GET     connections/{connection_id}/runs         200  200    200   200     404      401   401 403   403
POST    connections/{connection_id}/sync         202  403    403   202     404      401   401 403   403
GET     docs                                     200  200    200   200     200      200   200 200   200
GET     events                                   200  200    200   200     200      401   401 403   403
GET     fills                                    200  200    200   200     200      401   401 200   200
GET     holdings                                 200  200    200   200     200      401   401 200   200
GET     instruments                              200  200    200   200     200      401   401 403   403
GET     instruments/{instrument_key}             200  200    200   200     200      401   401 403   403
GET     invitations                              200  403    403   200     200      401   401 403   200
POST    invitations                              201  403    403   201     201      401   401 403   403
POST    invitations/accept                       201  201    201   201     201      201   201 201   201
GET     invitations/{invitation_id}              200  403    403   200     404      401   401 403   200
DELETE  invitations/{invitation_id}              204  403    403   204     404      401   401 403   403
POST    invitations/{invitation_id}/resend       200  403    403   200     404      401   401 403   403
GET     kill-switch                              200  200    200   200     200      401   401 403   403
PUT     kill-switch                              200  200    403   200     200      401   401 403   403
GET     me                                       200  200    200   200     200      401   401 200   200
GET     members                                  200  403    403   200     200      401   401 403   200
POST    members                                  403  403    403   201     403      401   401 403   403
GET     members/{member_id}                      200  403    403   200     404      401   401 403   200
PATCH   members/{member_id}                      200  403    403   200     404      401   401 403   403
DELETE  members/{member_id}                      204  403    403   204     404      401   401 403   403
GET     members/{member_id}/grants               200  403    403   200     404      401   401 403   200
POST    members/{member_id}/grants               201  403    403   201     404      401   401 403   403
DELETE  members/{member_id}/grants/{grant_id}    204  403    403   204     404      401   401 403   403
GET     openapi.json                             200  200    200   200     200      200   200 200   200
GET     orders                                   200  200    200   200     200      401   401 200   200
POST    orders                                   201  201    403   201     404      401   401 201   403:condition_failed
GET     orders/{order_id}                        200  200    200   200     404      401   401 200   200
PATCH   orders/{order_id}                        200  200    403   200     404      401   401 200   403:condition_failed
POST    orders/{order_id}/cancel                 202  202    403   202     404      401   401 202   403:condition_failed
GET     orders/{order_id}/events                 200  200    200   200     404      401   401 200   200
GET     permissions                              200  200    200   200     200      401   401 200   200
GET     permissions/explain                      200  200    200   200     200      401   401 200   200
GET     positions                                200  200    200   200     200      401   401 200   200
GET     providers                                200  200    200   200     200      401   401 403   403
GET     quotes/{instrument_key}                  200  200    200   200     200      401   401 403   403
GET     redoc                                    200  200    200   200     200      200   200 200   200
GET     risk/decisions                           200  200    200   200     200      401   401 403   403
GET     risk/limits/{account_id}                 200  200    200   200     404      401   401 403   403
PUT     risk/limits/{account_id}                 200  403    403   200     404      401   401 403   403
GET     roles                                    200  403    403   200     200      401   401 403   200
POST    roles                                    201  403    403   201     201      401   401 403   403
GET     roles/{role_id}                          200  403    403   200     404      401   401 403   200
PATCH   roles/{role_id}                          200  403    403   200     404      401   401 403   403
DELETE  roles/{role_id}                          204  403    403   204     404      401   401 403   403
GET     sync-runs/{run_id}                       200  200    200   200     404      401   401 403   403
GET     tenant                                   200  200    200   200     200      401   401 200   403
PATCH   tenant                                   403  403    403   200     403      401   401 403   403
GET     transactions                             200  200    200   200     200      401   401 403   403
GET     transactions/{transaction_id}            200  200    200   200     404      401   401 403   403
PATCH   transactions/{transaction_id}            200  200    403   200     404      401   401 403   403
GET     usage                                    200  200    200   200     200      401   401 200   403
GET     webhooks/deliveries                      200  403    403   200     200      401   401 403   403
POST    webhooks/deliveries/retry                202  403    403   202     202      401   401 403   403
GET     webhooks/deliveries/{delivery_id}        200  403    403   200     404      401   401 403   403
POST    webhooks/deliveries/{delivery_id}/retry  202  403    403   202     404      401   401 403   403
GET     webhooks/endpoints                       200  403    403   200     200      401   401 403   403
POST    webhooks/endpoints                       201  403    403   201     201      401   401 403   403
GET     webhooks/endpoints/{endpoint_id}         200  403    403   200     404      401   401 403   403
PATCH   webhooks/endpoints/{endpoint_id}         200  403    403   200     404      401   401 403   403
DELETE  webhooks/endpoints/{endpoint_id}         204  403    403   204     404      401   401 403   403
POST    webhooks/endpoints/{endpoint_id}/enable  200  403    403   200     404      401   401 403   403
GET     webhooks/endpoints/{endpoint_id}/recoveries 200 403  403   200     404      401   401 403   403
POST    webhooks/endpoints/{endpoint_id}/check-signature 200 403 403 200  404      401   401 403   403
POST    webhooks/endpoints/{endpoint_id}/recover  202 403    403   202     404      401   401 403   403
POST    webhooks/endpoints/{endpoint_id}/rotate-secret 200 403 403 200     404      401   401 403   403
POST    webhooks/endpoints/{endpoint_id}/test    202  403    403   202     404      401   401 403   403
GET     webhooks/event-types                     200  403    403   200     200      401   401 403   403
GET     webhooks/event-types/{event_type}        200  403    403   200     200      401   401 403   403
"""
CODES = {
    401: "authentication_required",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
}


class Cell(NamedTuple):
    """What one of the cast is answered: a status, and the code of a refusal."""

    status: int
    code: str


def cell_of(text: str) -> Cell:
    """Return the cell of `403` or `403:reauthentication_required`."""
    status, _colon, code = text.partition(":")
    return Cell(int(status), code or CODES.get(int(status), ""))


ROWS = {(line[1], line[0]): [*map(cell_of, line[2:])] for line in map(str.split, MATRIX.splitlines()[2:])}
TITLES = {
    401: "Authentication required",
    403: "Permission missing",
    404: "Not found",
    405: "Method not allowed",
}


def assert_refusal(answer: Any, cell: Cell, path: str) -> None:
    status, code = cell
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    title = TITLES[status] if code == CODES.get(status) else str(ERRORS[code].title)
    assert (problem["code"], problem["status"], problem["title"]) == (code, status, title)
    assert problem["type"] == f"http://testserver/problems/{code}"
    assert (problem["instance"], problem["request_id"]) == (path, answer["X-Request-ID"])
    assert answer.get("WWW-Authenticate") == ('Bearer realm="finops"' if status == 401 else None)


@pytest.mark.no_database
def test_the_matrix_has_a_row_for_every_operation_and_no_other() -> None:
    assert set(ROWS) == {(route.path, method) for route, method in OPERATIONS}
    assert {len(row) for row in ROWS.values()} == {len(CAST)}


@pytest.mark.commits
@pytest.mark.parametrize(("route", "method"), OPERATIONS, ids=operation_id)
def test_operation(route: Route, method: str, world: World, owner: Owner) -> None:
    """Refusals are committed and leave every table as it was: no row, no leaf, no event, no job."""
    before = owner.everything()
    for member, cell in zip(CAST, ROWS[route.path, method], strict=True):
        if cell.status < 400:
            with rolled_back():
                answer = good_call(world, member, route, method)
            assert answer.status_code == cell.status, (member, answer.content)
            continue
        assert_refusal(good_call(world, member, route, method), cell, route.url(world.acme.ids))
    assert owner.everything() == before


def test_conditions_hold_on_every_operation_that_writes_orders(world: World) -> None:
    """A new operation that asks for the permission has to judge its conditions, or it is in nobody's reach."""
    guarded = [
        (route, method)
        for route, method in OPERATIONS
        if getattr(route.view, "required_permissions", {}).get(method) == "orders:write"
    ]
    assert len(guarded) >= 3
    for route, method in guarded:
        answer = good_call(world, "acme_desk", route, method)
        assert (answer.status_code, answer.json()["code"]) == (403, "condition_failed"), route.path


@pytest.mark.commits
@pytest.mark.parametrize("route", ROUTES, ids=operation_id)
def test_methods_that_the_route_does_not_take(route: Route, world: World, owner: Owner) -> None:
    """405 once the caller is known, whatever permissions they have; before that 401. Each method by one caller."""
    before, url = owner.everything(), route.url(world.acme.ids)
    allowed = {*route.methods, "OPTIONS"}
    callers = islice(cycle(("acme_user", "acme_viewer", "anonymous")), ROUTES.index(route) % 3, None)
    for method, member in zip(sorted({*METHODS, "TRACE"} - {*route.methods}), callers, strict=False):
        answer = call(world.client(member), method, url, {})
        if _is_open(route) or member != "anonymous":
            alone = ("auth/sessions", "auth/factors", "auth/password", "auth/reauth")
            if route.path.startswith(alone) and member == "acme_viewer":
                continue  # an API key has no sessions, factors or password, whatever it would do with them
            assert_refusal(answer, cell_of("405"), url)
            assert set(answer["Allow"].split(", ")) == allowed | ({"HEAD"} if "GET" in allowed else set())
        else:
            assert_refusal(answer, cell_of("401"), url)
    assert owner.everything() == before


@pytest.mark.parametrize(("route", "method"), [entry for entry in OPERATIONS if entry[1] == "GET"], ids=operation_id)
def test_head_is_get_without_the_body(route: Route, method: str, world: World) -> None:
    if route.path in ("docs", "redoc", "openapi.json"):
        return
    for member in share(("acme_viewer", "globex_admin", "anonymous"), route, method):
        get, head = (good_call(world, member, route, asked) for asked in ("GET", "HEAD"))
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head["Content-Type"] == get["Content-Type"]


BAD_CREDENTIALS = {
    "a scheme that is not Bearer": "Basic YWNtZTphY21l",
    "no scheme": "fop_test_000000",
    "nothing after the scheme": "Bearer ",
    "a mistyped key": "Bearer fop_test_abcdefghijklmnopqrstuvwxyz012345678999999",
    "an unknown token": "Bearer e30.e30.e30",
    "what is no token": "Bearer \x7f\xff",
    "a huge token": "Bearer " + "a" * 8000,
}


@pytest.mark.commits
@pytest.mark.parametrize("header", BAD_CREDENTIALS.values(), ids=BAD_CREDENTIALS)
def test_bad_credentials_are_refused_everywhere(header: str, world: World, owner: Owner) -> None:
    before = owner.everything()
    for route, method in OPERATIONS:
        if _is_open(route):
            continue
        url = route.url(world.acme.ids)
        body = good_body(world, route, method)
        answer = call(world.client("anonymous"), method, url, body, headers={"Authorization": header})
        assert_refusal(answer, cell_of("401"), url)
    assert owner.everything() == before


def _is_open(route: Route) -> bool:
    return not route.is_tenants
