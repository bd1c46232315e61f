"""Limits are changed through the service, after a look at what changes; what it refuses stands beside its field."""

from decimal import Decimal

import pytest

from apps.core import clock
from apps.orders.models import RiskAccount
from apps.orders.services.limits import set_limits
from tests.backoffice.test_actions import leaves, read, told
from tests.backoffice.test_pages import get
from tests.backoffice.world import World


@pytest.fixture
def risk(world: World) -> RiskAccount:
    return world.acme.trade.desk.risk_account


def form(risk: RiskAccount, **values: str) -> dict[str, str]:
    """Return what the form sends, with some of its values changed."""
    return {
        "max_open_trades": str(risk.max_open_trades),
        "max_position_value": "100000",
        "max_concentration": "30",
        "max_orders_per_minute": str(risk.max_orders_per_minute),
        "reason": "new mandate",
        "version": str(risk.version),
        **values,
    }


def url_of(risk: RiskAccount) -> str:
    return f"/admin/orders/riskaccount/{risk.pk}/do/limits/"


def post(client, risk: RiskAccount, **values: str) -> str:
    response = client.post(url_of(risk), form(risk, **values))
    assert response.status_code == 200
    return response.content.decode()


def test_the_form_shows_the_limits_as_they_are(staff_client, risk):
    assert "do/limits/" in get(staff_client, f"/admin/orders/riskaccount/{risk.pk}/change/")
    text = staff_client.post(url_of(risk)).content.decode()
    assert 'name="max_concentration" value="30"' in text
    assert f'name="max_open_trades" value="{risk.max_open_trades}"' in text


def test_what_will_change_is_shown_before_it_changes(staff_client, risk):
    text = post(staff_client, risk, max_open_trades="7", max_concentration="12.5")
    assert f'<td class="fo-num">{risk.max_open_trades}</td><td class="fo-num">7</td>' in text
    assert '<td class="fo-num">30 %</td><td class="fo-num">12.5 %</td>' in text
    assert "Value of one position" not in text
    assert read(RiskAccount, risk).max_open_trades == risk.max_open_trades


def test_confirming_changes_and_records(staff_client, risk, world: World):
    response = staff_client.post(url_of(risk), form(risk, max_open_trades="7", max_concentration="12.5", confirmed="1"))
    assert told(staff_client, response) == ["The limits are changed. The next order is judged by them."]
    after = read(RiskAccount, risk)
    assert (after.max_open_trades, after.max_concentration, after.version) == (7, Decimal("0.125"), risk.version + 1)
    (leaf,) = leaves(world.acme.tenant, "risk.limits_changed")
    assert leaf.changes == {
        "max_open_trades": [risk.max_open_trades, 7],
        "max_concentration": ["0.3", "0.125"],
        "reason": [None, "new mandate"],
    }
    assert leaf.actor["kind"] == "staff"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_without_a_reason_nothing_changes(staff_client, risk, world: World, reason):
    text = post(staff_client, risk, max_open_trades="7", reason=reason, confirmed="1")
    assert "fo-error" in text
    assert 'name="max_open_trades" value="7"' in text
    assert read(RiskAccount, risk).version == risk.version
    assert leaves(world.acme.tenant, "risk.limits_changed") == []


def test_the_reason_is_read_again_before_it_is_kept(staff_client, risk):
    text = post(staff_client, risk, max_open_trades="7", reason="new <mandate>")
    assert "<p>new &lt;mandate&gt;</p>" in text
    assert 'name="reason" value="new &lt;mandate&gt;"' in text


def test_going_back_keeps_what_was_typed(staff_client, risk):
    text = post(staff_client, risk, max_open_trades="7", confirmed="1", back="1")
    assert 'name="max_open_trades" value="7"' in text
    assert read(RiskAccount, risk).max_open_trades == risk.max_open_trades


def test_the_same_limits_are_no_change(staff_client, risk, world: World):
    assert "These are the limits already." in post(staff_client, risk)
    assert leaves(world.acme.tenant, "risk.limits_changed") == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_open_trades", "-1"),
        ("max_open_trades", "two"),
        ("max_open_trades", "10001"),
        ("max_position_value", "NaN"),
        ("max_position_value", "1e400"),
        ("max_position_value", "0.1234567891"),
        ("max_concentration", "10001"),
        ("max_concentration", "Infinity"),
        ("max_orders_per_minute", ""),
        ("max_orders_per_minute", "1.5"),
        ("version", "x"),
    ],
)
def test_what_is_no_limit_is_refused_beside_its_field(staff_client, risk, world: World, field, value):
    text = post(staff_client, risk, **{field: value, "confirmed": "1"})
    assert "fo-error" in text or field == "version"
    assert read(RiskAccount, risk).version == risk.version
    assert leaves(world.acme.tenant, "risk.limits_changed") == []


def test_limits_that_somebody_else_changed_meanwhile_are_not_overwritten(staff_client, risk, world: World):
    desk = world.acme.trade.desk
    seen = form(risk, max_open_trades="7", confirmed="1")
    set_limits(account_id=desk.account.pk, limits={"max_open_trades": 3}, actor=desk.actor, now=clock.now())
    text = staff_client.post(url_of(risk), seen).content.decode()
    assert 'role="alert"' in text
    assert read(RiskAccount, risk).max_open_trades == 3


def test_who_may_only_view_changes_no_limit(viewing_client, risk):
    assert "do/limits/" not in get(viewing_client, f"/admin/orders/riskaccount/{risk.pk}/change/")
    assert viewing_client.post(url_of(risk), form(risk, max_open_trades="7", confirmed="1")).status_code == 403
    assert read(RiskAccount, risk).max_open_trades == risk.max_open_trades
