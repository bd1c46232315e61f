"""Orders of members who may trade single accounts alone: what is not granted is as if it did not exist."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.scope import tenant_scope
from apps.market.models import Quote
from apps.orders.enums import OrderStatus
from apps.orders.models import Order
from apps.orders.services.accounts import ensure_risk_account
from apps.tenants.models import Membership, Tenant
from tests.accounts.api.test_grants import grant, url_of
from tests.factories.orders import Desk, make_desk, make_kill_switch, make_order, make_trading_account, read_order
from tests.factories.tenants import make_member, make_role
from tests.orders.intake import URL, body_of, post, traces
from tests.tenants.api.calls import problem, signed_in


@pytest.fixture
def desk(acme: Tenant) -> Desk:
    return make_desk(acme)


@pytest.fixture
def other(acme: Tenant, desk: Desk) -> Desk:
    """Another account of the tenant, at another broker's."""
    account = make_trading_account(acme, key_id="PKSECOND", external_id="second", name="Second desk")
    risk_account = ensure_risk_account(account_id=account.id, actor=desk.actor, now=clock.now())
    return Desk(acme, account.connection, account, risk_account, desk.listing)


@pytest.fixture
def nia(acme: Tenant) -> Membership:
    make_role(acme, "guest", ["tenant:read"])
    user = make_member(acme, "nia", "guest")
    with tenant_scope(acme.id):
        return Membership.objects.get(user_id=user.id)


@pytest.fixture
def client(acme_admin: APIClient, nia: Membership, desk: Desk, other: Desk) -> APIClient:
    """Nia, who may trade the desk's account."""
    assert grant(acme_admin, nia, "orders:write", "account", desk.account.id).status_code == 201
    return signed_in("nia")


def at_venue(desk: Desk) -> Order:
    return make_order(desk, OrderStatus.ACCEPTED, venue_order_id=str(uuid4()), client_order_id=str(uuid4()))


def cancel(client: APIClient, order_id: UUID, **headers: Any) -> Any:
    return client.post(f"{URL}/{order_id}/cancel", {}, format="json", **headers)


def replace(client: APIClient, order_id: UUID, change: dict[str, str]) -> Any:
    return client.patch(f"{URL}/{order_id}", change, format="json")


def named(answer: Any, ids: list[UUID]) -> Any:
    """Return a problem without what differs by request, its ids taken for one."""
    body = {name: value for name, value in answer.json().items() if name != "request_id"}
    for id_ in ids:
        body["instance"] = body["instance"].replace(str(id_), "*")
    return answer.status_code, body


class TestGranted:
    def test_they_place_replace_and_cancel_and_are_shown_what_they_did(self, acme, desk: Desk, client) -> None:
        placed = post(client, body_of(desk))
        assert (placed.status_code, placed.json()["status"]) == (201, "approved")
        order = at_venue(desk)
        replaced = replace(client, order.id, {"quantity": "2"})
        assert (replaced.status_code, replaced.json()["replaces"]) == (200, str(order.id))
        assert cancel(client, at_venue(desk).id).status_code == 202
        # To read orders takes a grant of its own.
        assert client.get(f"{URL}/{placed.json()['id']}").status_code == 403
        assert client.get(URL).status_code == 403

    def test_by_a_connection_as_well(self, acme_admin, nia, desk: Desk, other: Desk) -> None:
        grant(acme_admin, nia, "orders:write", "connection", desk.connection.id)
        client = signed_in("nia")
        assert post(client, body_of(desk)).status_code == 201
        assert post(client, body_of(other)).status_code == 404

    def test_what_the_gate_lacks_is_fetched_though_nothing_else_may_be_read(self, desk: Desk, client) -> None:
        """The venue cannot be reached here: the order is denied for it, and not for want of a grant."""
        long_ago = clock.now() - timedelta(hours=1)
        Quote.objects.update(venue_at=long_ago, received_at=long_ago)
        answer = post(client, body_of(desk))
        assert (answer.status_code, answer.json()["denial"]["code"]) == (201, "price_stale")

    def test_the_gate_counts_the_whole_account(self, acme, acme_admin, nia, desk: Desk) -> None:
        """One account at the venue, connected twice: orders through the one that is not granted count."""
        twin = make_trading_account(acme, external_id=desk.account.external_id, key_id="PKTWICETWICETWICETWI")
        make_order(desk, OrderStatus.UNKNOWN)
        grant(acme_admin, nia, "orders:write", "account", twin.id)
        answer = post(signed_in("nia"), body_of(desk, account_id=str(twin.id)))
        assert (answer.status_code, answer.json()["denial"]["code"]) == (201, "outcome_unknown")
        assert post(signed_in("nia"), body_of(desk)).status_code == 404

    def test_a_kill_switch_stops_them_and_is_not_theirs_to_move(self, acme, desk: Desk, client) -> None:
        make_kill_switch(desk, engaged=True, of_account=False)
        answer = post(client, body_of(desk))
        assert (answer.status_code, answer.json()["denial"]["code"]) == (201, "kill_switch_engaged")
        released = client.put("/api/v1/kill-switch", {"engaged": False, "reason": "mine"}, format="json")
        assert released.status_code == 403

    def test_a_role_that_gives_it_is_not_limited_by_a_grant(self, acme, acme_admin, desk: Desk, other: Desk) -> None:
        user = make_member(acme, "tess", "trader")
        with tenant_scope(acme.id):
            tess = Membership.objects.get(user_id=user.id)
        grant(acme_admin, tess, "orders:write", "account", desk.account.id)
        assert post(signed_in("tess"), body_of(other)).status_code == 201


class TestAnyOtherAccount:
    @pytest.mark.parametrize("terms", [{}, {"dry_run": True}, {"quantity": "-1"}, {"instrument": "XNAS:NONE"}])
    def test_nothing_is_placed_there_whatever_is_wrong(self, acme, other: Desk, client, terms) -> None:
        before, key = traces(acme.id), str(uuid4())
        theirs = post(client, body_of(other, **terms), key=key)
        none = post(client, body_of(other, account_id=str(uuid4()), **terms), key=key)
        assert named(theirs, []) == named(none, [])
        assert problem(none)[:2] == (404, "not_found")
        assert traces(acme.id) == before

    def test_orders_there_are_neither_replaced_nor_canceled(self, acme, desk: Desk, other: Desk, client) -> None:
        order, none = at_venue(other), uuid4()
        before = traces(acme.id)
        for ask in (
            lambda id_: cancel(client, id_),
            lambda id_: cancel(client, id_, headers={"If-Match": '"77"', "Idempotency-Key": ""}),
            lambda id_: replace(client, id_, {"quantity": "2"}),
            lambda id_: replace(client, id_, {"quantity": "none"}),
        ):
            answers = [named(ask(id_), [order.id, none]) for id_ in (order.id, none)]
            assert answers[0] == answers[1]
            assert answers[0][0] == 404
        assert (traces(acme.id), read_order(order).version) == (before, order.version)

    def test_an_order_without_an_account_goes_to_none_that_was_not_granted(self, acme, desk, other, client) -> None:
        body = {name: value for name, value in body_of(desk).items() if name != "account_id"}
        before = traces(acme.id)
        assert problem(post(client, body))[:2] == (400, "validation_failed")
        assert traces(acme.id) == before

    def test_anothers_key_answers_nothing_of_its_order(self, acme_trader, other: Desk, client) -> None:
        key = str(uuid4())
        placed = post(acme_trader, body_of(other), key=key)
        assert placed.status_code == 201
        answer = post(client, body_of(other), key=key)
        assert (answer.status_code, placed.json()["id"] in answer.content.decode()) == (404, False)

    def test_what_was_answered_before_is_not_told_again_once_the_grant_has_ended(
        self, acme_admin, nia, desk: Desk, other: Desk, client
    ) -> None:
        key = str(uuid4())
        assert post(client, body_of(desk), key=key).status_code == 201
        assert post(client, body_of(desk), key=key).headers["Idempotency-Replayed"] == "true"
        grant(acme_admin, nia, "orders:write", "account", other.account.id)
        [_new, first] = acme_admin.get(url_of(nia)).json()["data"]
        acme_admin.delete(f"{url_of(nia)}/{first['id']}")
        assert post(client, body_of(desk), key=key).status_code == 404
        acme_admin.delete(f"{url_of(nia)}/{_new['id']}")
        assert post(client, body_of(desk), key=key).status_code == 403

    def test_another_tenants_account_is_the_same_404(self, globex: Tenant, desk: Desk, client) -> None:
        theirs = make_desk(globex)
        assert post(client, body_of(theirs)).status_code == 404
        assert cancel(client, at_venue(theirs).id).status_code == 404

    def test_a_key_of_theirs_gets_nothing_of_a_grant(self, acme, acme_admin, desk: Desk) -> None:
        """Who may make keys, and trade one account, makes no key that trades."""
        make_role(acme, "keeper", ["api_keys:read", "api_keys:write"])
        user = make_member(acme, "kim", "keeper")
        with tenant_scope(acme.id):
            kim = Membership.objects.get(user_id=user.id)
        grant(acme_admin, kim, "orders:write", "account", desk.account.id)
        body = {"name": "bot", "scopes": ["orders:write"], "mode": "test"}
        answer = signed_in("kim").post("/api/v1/api-keys", body, format="json")
        assert answer.status_code == 403, answer.content
