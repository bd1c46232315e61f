"""Headers of an endpoint's own: which may be, and that nobody reads their values again."""

from datetime import datetime
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core.actor import Actor, system_actor
from apps.core.errors import NotFound
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.outbox.models import OutboxEvent
from apps.webhooks.errors import HeaderRefused
from apps.webhooks.headers import merge
from apps.webhooks.models import Endpoint, EndpointSecret
from apps.webhooks.services import create_endpoint, delete_endpoint, update_endpoint
from tests.factories.webhooks import make_endpoint, stored_endpoint

URL = "/api/v1/webhooks/endpoints"
VALUE = "a-value-that-nobody-reads-again"


@pytest.fixture
def actor(acme) -> Actor:
    return system_actor("tests", tenant_id=acme.id)


def sealed(endpoint: Endpoint) -> list[str]:
    with tenant_scope(endpoint.tenant_id):
        return list(
            EndpointSecret.objects.filter(endpoint_id=endpoint.id).order_by("kind").values_list("kind", flat=True)
        )


def leaves(endpoint: Endpoint) -> list[dict[str, Any]]:
    with tenant_scope(endpoint.tenant_id):
        rows = AuditEntry.objects.filter(target_id=str(endpoint.id)).order_by("position")
        return list(rows.values_list("changes", flat=True))


@pytest.mark.no_database
@pytest.mark.parametrize(
    "name",
    [
        "",
        "X Api Key",
        "X-Api-Key:",
        "X-Api\r\nEvil",
        "X-Äpi",
        "(x)",
        "x" * 65,
        "Host",
        "content-length",
        "Content-Type",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Proxy-Authorization",
        "Proxy-Connection",
        "Expect",
        "User-Agent",
        "Forwarded",
        "X-Forwarded-For",
        "Via",
        "WEBHOOK-ID",
        "webhook-signature",
        "Finops-Sequence",
        "Sec-Fetch-Site",
    ],
)
def test_names_that_are_no_names_or_the_platforms_own_are_refused(name: str) -> None:
    with pytest.raises(HeaderRefused) as refusal:
        merge({}, {name: "value"})
    (error,) = refusal.value.extra["errors"]
    assert error["code"] == "header_refused"


@pytest.mark.no_database
@pytest.mark.parametrize(
    "value",
    ["", " ", " a", "a ", "a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "grüß", "\x7f", "\ta", "x" * 1_025],
)
def test_values_that_could_be_more_than_a_value_are_refused(value: str) -> None:
    with pytest.raises(HeaderRefused):
        merge({}, {"X-Api-Key": value})


@pytest.mark.no_database
def test_so_many_and_so_long_and_each_once() -> None:
    assert len(merge({}, {f"X-{number}": "x" for number in range(20)}).headers) == 20
    assert merge({}, {"X-" + "n" * 62: "x" * 1_024}).set_anew == ["X-" + "n" * 62]
    for given in (
        {f"X-{number}": "x" for number in range(21)},
        {f"X-{number}": "x" * 1_024 for number in range(8)},
        {"X-Key": "a", "x-key": "b"},
    ):
        with pytest.raises(HeaderRefused):
            merge({}, given)
    with pytest.raises(HeaderRefused):
        merge({f"X-{number}": "x" for number in range(20)}, {"Y": "x"})


@pytest.mark.no_database
def test_those_given_are_set_or_taken_away_and_the_others_stay() -> None:
    known = {"X-One": "1", "X-Two": "2"}
    assert merge(known, {"x-one": "one", "X-Three": "3"}) == (
        {"X-Two": "2", "x-one": "one", "X-Three": "3"},
        ["x-one", "X-Three"],
    )
    assert merge(known, {"X-ONE": None, "X-None": None}) == ({"X-Two": "2"}, [])


def test_values_are_sealed_and_the_log_tells_names_alone(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, headers={"X-Api-Key": VALUE}, now=now).endpoint
    assert (stored_endpoint(endpoint).header_names, sealed(endpoint)) == (["X-Api-Key"], ["headers", "symmetric"])
    update: dict[str, Any] = {"endpoint_id": endpoint.id, "actor": actor, "now": now}
    update_endpoint(headers={"X-Api-Key": VALUE}, **update)
    assert stored_endpoint(endpoint).version == 1
    update_endpoint(headers={"X-Api-Key": f"{VALUE}-2"}, **update)
    update_endpoint(headers={"X-Tenant": "acme"}, description="the shop", **update)
    update_endpoint(headers={"X-Api-Key": None, "X-Tenant": None}, **update)
    assert (stored_endpoint(endpoint).header_names, sealed(endpoint)) == ([], ["symmetric"])
    assert stored_endpoint(endpoint).version == 4
    assert leaves(endpoint)[0]["header_names"] == [None, ["X-Api-Key"]]
    assert leaves(endpoint)[1:] == [
        {"headers_set": [None, ["X-Api-Key"]]},
        {
            "description": ["", "the shop"],
            "header_names": [["X-Api-Key"], ["X-Api-Key", "X-Tenant"]],
            "headers_set": [None, ["X-Tenant"]],
        },
        {"header_names": [["X-Api-Key", "X-Tenant"], []]},
    ]
    with tenant_scope(acme.id):
        assert VALUE not in str(list(OutboxEvent.objects.values())) + str(list(AuditEntry.objects.values()))


def test_at_another_server_they_have_to_be_given_anew(acme, actor: Actor, now: datetime) -> None:
    """Whoever may change the URL could else have the values, which nobody is shown, sent to a server of theirs."""
    headers = {"X-Api-Key": VALUE, "X-Tenant": "acme"}
    endpoint = make_endpoint(acme, "https://hooks.example.com/a", headers=headers, now=now).endpoint
    update: dict[str, Any] = {"endpoint_id": endpoint.id, "actor": actor, "now": now}
    assert update_endpoint(url="https://HOOKS.example.com/b", **update).header_names == ["X-Api-Key", "X-Tenant"]
    moved = update_endpoint(url="https://hooks.example.com:8443/b", headers={"x-tenant": "acme"}, **update)
    assert moved.header_names == ["x-tenant"]
    assert update_endpoint(url="https://93.184.215.14/", **update).header_names == []
    assert sealed(endpoint) == ["symmetric"]


def test_what_is_refused_leaves_nothing(acme, globex, actor: Actor, now: datetime) -> None:
    with pytest.raises(HeaderRefused):
        create_endpoint(url="https://93.184.215.14/", headers={"Host": "evil"}, actor=actor, now=now)
    endpoint = make_endpoint(acme, headers={"X-Api-Key": VALUE}, now=now).endpoint
    with pytest.raises(HeaderRefused):
        update_endpoint(
            endpoint_id=endpoint.id,
            headers={"X-Api-Key": None, "Host": "x"},
            url="https://93.184.215.14/",
            actor=actor,
            now=now,
        )
    with pytest.raises(NotFound):
        update_endpoint(endpoint_id=new_id(), headers={"X-Api-Key": "x"}, actor=actor, now=now)
    stored = stored_endpoint(endpoint)
    assert (stored.header_names, stored.version, stored.url) == (["X-Api-Key"], 1, endpoint.url)
    with tenant_scope(acme.id):
        assert Endpoint.objects.count() == 1
    assert len(leaves(endpoint)) == 1


def test_a_deleted_endpoint_forgets_them(acme, actor: Actor, now: datetime) -> None:
    endpoint = make_endpoint(acme, headers={"X-Api-Key": VALUE}, now=now).endpoint
    delete_endpoint(endpoint_id=endpoint.id, actor=actor, now=now)
    assert (stored_endpoint(endpoint).header_names, sealed(endpoint)) == ([], [])


def test_the_api_takes_values_and_tells_names(acme, acme_admin) -> None:
    body = {"url": "https://93.184.215.14/hook", "headers": {"X-Api-Key": VALUE}, "signing": "asymmetric"}
    made = acme_admin.post(URL, body, format="json")
    assert made.status_code == 201
    assert (made.json()["header_names"], made.json()["secret"]) == (["X-Api-Key"], None)
    assert made.json()["public_key"].startswith("whpk_")
    one = f"{URL}/{made.json()['id']}"
    changed = acme_admin.patch(one, {"headers": {"X-Api-Key": None, "X-Other": "1"}}, format="json")
    assert changed.json()["header_names"] == ["X-Other"]
    rotated = acme_admin.post(f"{one}/rotate-secret", {"signing": "symmetric"}, format="json").json()
    assert (rotated["secret"][:6], rotated["public_key"], rotated["signing"]) == ("whsec_", None, "symmetric")
    for answer in (made, changed, acme_admin.get(one), acme_admin.get(URL), acme_admin.get("/api/v1/audit/entries")):
        assert VALUE not in answer.content.decode()


@pytest.mark.parametrize(
    ("headers", "code", "field"),
    [
        ({"Host": "evil"}, "header_refused", "headers.Host"),
        ({"X-Api-Key": "a\r\nX-Evil: 1"}, "header_refused", "headers.X-Api-Key"),
        ({"X-Api-Key": None}, "validation_failed", None),
        ({"X-Api-Key": {"a": "b"}}, "validation_failed", None),
        (["X-Api-Key"], "validation_failed", None),
        ("X-Api-Key: a", "validation_failed", None),
    ],
)
def test_the_api_says_what_is_wrong(acme, acme_admin, headers: Any, code: str, field: str | None) -> None:
    answer = acme_admin.post(URL, {"url": "https://93.184.215.14/hook", "headers": headers}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    if field:
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    with tenant_scope(acme.id):
        assert not Endpoint.objects.exists()
