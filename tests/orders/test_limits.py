"""The limits of an account: the installation's at first, changed with a version, a leaf and an event; over the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.errors import NotFound, ValidationFailed, VersionConflict
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.orders.errors import AccountNotTradable
from apps.orders.models import RiskAccount
from apps.orders.services.accounts import ensure_risk_account
from apps.orders.services.limits import set_limits
from apps.outbox.models import OutboxEvent
from apps.providers.models import Connection
from apps.providers.services import delete_connection
from tests.factories.accounts import make_account
from tests.factories.market import this_time
from tests.factories.orders import Desk, make_desk, make_trading_account
from tests.threads import at_once

DEFAULTS = {
    "max_open_trades": 2,
    "max_position_value": "100000",
    "max_concentration": "0.3",
    "max_orders_per_minute": 60,
}


@pytest.fixture
def desk(acme) -> Desk:
    return make_desk(acme)


def url(account_id: Any) -> str:
    return f"/api/v1/risk/limits/{account_id}"


def records(tenant) -> list[tuple[str, Any]]:
    """Return the tenant's leaves and events about risk accounts."""
    with tenant_scope(tenant.id):
        leaves = AuditEntry.objects.filter(target_type="risk_account").order_by("position")
        emitted = OutboxEvent.objects.filter(entity_type="risk_account").order_by("position")
        return [*leaves.values_list("action", "changes"), *((event.type, event.data) for event in emitted)]


@contextmanager
def nothing_changes(desk: Desk) -> Iterator[None]:
    """Check that the block changes no limit and leaves no record."""
    before = (records(desk.tenant), limits_of(desk))
    yield
    assert (records(desk.tenant), limits_of(desk)) == before


def limits_of(desk: Desk) -> dict[str, Any]:
    with tenant_scope(desk.tenant.id):
        return RiskAccount.objects.values(*DEFAULTS, "version", "updated_at").get(id=desk.risk_account.id)


class TestEnsuring:
    """The risk row is made once, for an account that can trade."""

    def test_it_has_the_installations_limits_and_no_means(self, acme, now):
        account = make_trading_account(acme)
        actor = system_actor("tests", tenant_id=acme.id)
        risk_account = ensure_risk_account(account_id=account.id, actor=actor, now=now)
        assert (risk_account.venue, risk_account.mode, risk_account.currency) == ("alpaca", "paper", "USD")
        assert risk_account.means_as_of is risk_account.rate_reset_at is None
        assert risk_account.version == 1
        assert ensure_risk_account(account_id=account.id, actor=actor, now=now).id == risk_account.id
        leaf, event = records(acme)
        assert leaf == ("risk_account.created", {"account_id": [None, str(account.id)], "mode": [None, "paper"]})
        assert event == (
            "risk_account.created",
            {
                "account_id": str(account.id),
                "mode": "paper",
                "currency": "USD",
                **DEFAULTS,
                "version": 1,
                "created_at": this_time(now),
                "updated_at": this_time(now),
            },
        )

    def test_other_accounts_have_none(self, acme, globex, now):
        actor = system_actor("tests", tenant_id=acme.id)
        with pytest.raises(AccountNotTradable):
            ensure_risk_account(account_id=make_account(acme).id, actor=actor, now=now)
        with pytest.raises(AccountNotTradable):
            ensure_risk_account(account_id=make_trading_account(acme, status="closed").id, actor=actor, now=now)
        gone = make_trading_account(acme)
        delete_connection(connection_id=gone.connection_id, actor=actor, now=now)
        with pytest.raises(AccountNotTradable):
            ensure_risk_account(account_id=gone.id, actor=actor, now=now)
        ailing = make_trading_account(acme)
        with write_scope(actor):
            Connection.objects.filter(id=ailing.connection_id).update(status="needs_attention")
        with pytest.raises(AccountNotTradable):
            ensure_risk_account(account_id=ailing.id, actor=actor, now=now)
        for account_id in (new_id(), make_trading_account(globex).id):
            with pytest.raises(NotFound):
                ensure_risk_account(account_id=account_id, actor=actor, now=now)
        assert records(acme) == records(globex) == []

    @pytest.mark.commits
    def test_ten_first_calls_at_once_make_one(self, acme):
        account, actor = make_trading_account(acme), system_actor("tests", tenant_id=acme.id)

        def ensure(_caller: int) -> UUID:
            return ensure_risk_account(account_id=account.id, actor=actor, now=clock.now()).id

        assert len(set(at_once(ensure, range(10)))) == 1
        assert [name for name, _data in records(acme)] == ["risk_account.created"] * 2


class TestSetting:
    """A change is one version, one leaf, one event; what is already so is none."""

    def test_a_change(self, desk, now):
        limits: dict[str, Any] = {
            "max_open_trades": 5,
            "max_concentration": Decimal("0.5"),
            "max_orders_per_minute": 60,
        }
        set_limits(account_id=desk.account.id, limits=limits, expected_version=1, actor=desk.actor, now=now)
        stored = limits_of(desk)
        assert (stored["max_open_trades"], stored["max_concentration"], stored["version"]) == (5, Decimal("0.5"), 2)
        (_created, leaf, _event, event) = records(desk.tenant)
        assert leaf == ("risk.limits_changed", {"max_open_trades": [2, 5], "max_concentration": ["0.3", "0.5"]})
        assert (event[0], event[1]["max_open_trades"], event[1]["version"]) == ("risk.limits_changed", 5, 2)

    def test_what_is_already_so(self, desk, now):
        with nothing_changes(desk):
            set_limits(account_id=desk.account.id, limits={"max_open_trades": 2}, actor=desk.actor, now=now)

    def test_another_version(self, desk, now):
        with nothing_changes(desk), pytest.raises(VersionConflict):
            set_limits(
                account_id=desk.account.id,
                limits={"max_open_trades": 5},
                expected_version=2,
                actor=desk.actor,
                now=now,
            )

    def test_each_limit_that_is_not_acceptable_is_named(self, desk, now):
        limits: dict[str, Any] = {
            "max_open_trades": -1,
            "max_position_value": Decimal("NaN"),
            "max_concentration": Decimal("0.0000000001"),
            "max_orders_per_minute": 10_001,
        }
        with nothing_changes(desk), pytest.raises(ValidationFailed) as refusal:
            set_limits(account_id=desk.account.id, limits=limits, actor=desk.actor, now=now)
        assert [(error["field"], error["code"]) for error in refusal.value.extra["errors"]] == [
            ("max_open_trades", "out_of_range"),
            ("max_position_value", "invalid"),
            ("max_concentration", "too_precise"),
            ("max_orders_per_minute", "out_of_range"),
        ]


class TestApi:
    """GET and PUT /risk/limits/{account_id}."""

    def test_an_account_that_never_traded_shows_what_it_would_have(self, acme, acme_viewer: APIClient):
        account = make_trading_account(acme)
        answer = acme_viewer.get(url(account.id))
        assert answer.status_code == 200
        assert {name: answer.json()[name] for name in DEFAULTS} == DEFAULTS
        assert (answer.json()["version"], answer["ETag"]) == (1, '"1"')
        with tenant_scope(acme.id):
            assert not RiskAccount.objects.exists()

    def test_a_first_put_makes_and_changes_them(self, acme, acme_admin: APIClient):
        account = make_trading_account(acme)
        answer = acme_admin.put(url(account.id), {"max_open_trades": 7}, format="json", headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.json()["max_open_trades"], answer["ETag"]) == (200, 7, '"2"')
        assert [name for name, _data in records(acme)] == ["risk_account.created", "risk.limits_changed"] * 2

    def test_what_get_shows_may_be_put_back(self, desk, acme_admin: APIClient):
        shown = acme_admin.get(url(desk.account.id)).json()
        with nothing_changes(desk):
            answer = acme_admin.put(url(desk.account.id), shown, format="json")
            assert (answer.status_code, answer.json()) == (200, shown)

    def test_a_stale_version(self, desk, acme_admin: APIClient):
        with nothing_changes(desk):
            body = {"max_open_trades": 7}
            answer = acme_admin.put(url(desk.account.id), body, format="json", headers={"If-Match": '"9"'})
            assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            ({"max_open_trades": "many"}, [("max_open_trades", "invalid")]),
            ({"max_trades": 1}, [("max_trades", "unknown_field")]),
            (
                {"max_open_trades": -1, "max_concentration": "101"},
                [("max_open_trades", "out_of_range"), ("max_concentration", "out_of_range")],
            ),
        ],
    )
    def test_bad_values(self, desk, acme_admin: APIClient, body: dict, errors: list[tuple[str, str]]):
        with nothing_changes(desk):
            answer = acme_admin.put(url(desk.account.id), body, format="json")
            assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
            assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == errors

    def test_accounts_that_cannot_trade_and_those_of_others(self, acme, globex, acme_admin: APIClient):
        answer = acme_admin.get(url(make_account(acme).id))
        assert (answer.status_code, answer.json()["code"]) == (409, "account_not_tradable")
        for account_id in (new_id(), make_trading_account(globex).id):
            for answer in (
                acme_admin.get(url(account_id)),
                acme_admin.put(url(account_id), b"no json", content_type="application/json"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_only_who_may_write_risk_sets_them(self, desk, acme_trader: APIClient, acme_viewer: APIClient):
        with nothing_changes(desk):
            for client in (acme_trader, acme_viewer):
                answer = client.put(url(desk.account.id), {"max_open_trades": 7}, format="json")
                assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    def test_queries(self, desk, acme_admin: APIClient, django_assert_num_queries):
        acme_admin.get(url(desk.account.id))
        with django_assert_num_queries(7):
            acme_admin.get(url(desk.account.id))
