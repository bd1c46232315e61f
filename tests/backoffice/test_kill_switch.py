"""The kill switch's page: who is stopped, what a click will do, and the banner that nobody can overlook."""

import pytest
from django.contrib.messages import get_messages

from apps.audit.models import AuditEntry
from apps.core.scope import staff_scope
from apps.orders.models import InstallationKillSwitch, KillSwitch
from tests.backoffice.desk import make
from tests.backoffice.test_actions import leaves, press, read, told
from tests.backoffice.test_pages import get
from tests.backoffice.world import World

PAGE = "/admin/kill-switch/"
INSTALLATION = f"{PAGE}installation/"
REASON = {"confirmed": "1", "reason": "Market data is wrong"}


def engaged() -> set[tuple[str, str]]:
    """Return (whose, why) of every switch that is engaged."""
    with staff_scope():
        own = {
            (f"account {row.account_id}" if row.account_id else f"tenant {row.tenant_id}", row.reason)
            for row in KillSwitch.objects.filter(engaged=True)
        }
        return own | {("installation", row.reason) for row in InstallationKillSwitch.objects.filter(engaged=True)}


def of_tenant(world: World) -> str:
    return f"{PAGE}tenant/{world.acme.tenant.pk}/"


def of_account(world: World) -> str:
    return f"{PAGE}account/{world.acme.trade.desk.account.pk}/"


def test_the_page_lists_the_installation_each_tenant_and_each_account(staff_client, world: World):
    text = get(staff_client, PAGE)
    assert text.count("fo-switch-name") == 5
    for url in (INSTALLATION, of_tenant(world), of_account(world)):
        assert f'action="{url}"' in text
    assert text.count("Stop…") == 5
    assert '<section class="fo-stops"' not in text
    assert "globex" not in get(staff_client, f"{PAGE}?q=acme")


def test_it_is_reached_from_every_page(staff_client, world: World):
    for url in ("/admin/", "/admin/orders/order/", f"/admin/orders/order/{world.acme.trade.filled.pk}/change/"):
        assert f'href="{PAGE}"' in get(staff_client, url), url


def test_it_says_first_what_will_happen(staff_client, world: World):
    make(world.acme.trade.desk, "not-sent")
    text = staff_client.post(of_tenant(world), {"engage": "1"}).content.decode()
    assert "1 approved order that has not left is denied." in text
    assert "2 open orders stay at their venues." in text
    assert f"/admin/orders/order/?standing=open&amp;tenant={world.acme.tenant.pk}" in text
    assert engaged() == set()


def test_it_takes_a_reason(staff_client, world: World):
    for reason in ("", "   "):
        answer = staff_client.post(INSTALLATION, {"engage": "1", "confirmed": "1", "reason": reason})
        assert answer.status_code == 200
    assert engaged() == set()
    assert leaves(world.acme.tenant, "kill_switch.engaged") == []


def test_stopping_an_account_is_recorded_and_told_on_every_page(staff_client, world: World):
    said = told(staff_client, staff_client.post(of_account(world), {"engage": "1", **REASON}))
    assert said == ["Stopped: Paper desk. No order is on its way."]
    assert engaged() == {(f"account {world.acme.trade.desk.account.pk}", REASON["reason"])}
    (leaf,) = leaves(world.acme.tenant, "kill_switch.engaged")
    assert (leaf.actor["kind"], leaf.actor["label"]) == ("staff", "staff")
    assert leaf.changes["reason"] == ["", REASON["reason"]]
    for url in ("/admin/", "/admin/users/user/", PAGE, f"/admin/tenants/tenant/{world.globex.tenant.pk}/change/"):
        text = get(staff_client, url)
        assert "Trading is stopped in part" in text, url
        assert "<b>acme, Paper desk</b> <small>staff, " in text, url
        assert '<span title="Market data is wrong">Market data is wrong</span></li>' in text, url
    account = get(staff_client, f"/admin/orders/riskaccount/{world.acme.trade.desk.risk_account.pk}/change/")
    assert "Trading is stopped: Market data is wrong" in account


def test_stopping_the_installation_names_it_and_releasing_ends_the_banner(staff_client, world: World):
    told(staff_client, staff_client.post(INSTALLATION, {"engage": "1", **REASON}))
    assert engaged() == {("installation", REASON["reason"])}
    text = get(staff_client, "/admin/audit/auditentry/")
    assert "All trading is stopped" in text
    assert "<b>The whole installation</b> <small>staff, " in text
    assert text.count("Stopped from above") == 0
    assert get(staff_client, PAGE).count("Stopped from above") == 4
    said = told(staff_client, staff_client.post(INSTALLATION, {"engage": "0", **REASON}))
    assert said == ["Released: The whole installation."]
    assert engaged() == set()
    assert '<section class="fo-stops"' not in get(staff_client, "/admin/audit/auditentry/")
    with staff_scope():
        actions = AuditEntry.objects.filter(tenant_id=None, action__startswith="kill_switch.").order_by("position")
        assert list(actions.values_list("action", flat=True)) == ["kill_switch.engaged", "kill_switch.released"]


def test_what_stops_everybody_or_a_tenant_is_seen_on_each_account(staff_client, world: World):
    lists = {"/admin/orders/riskaccount/": "stopped with the installation", "/admin/live/": "stopped"}
    told(staff_client, staff_client.post(INSTALLATION, {"engage": "1", **REASON}))
    page = f"/admin/orders/riskaccount/{world.acme.trade.desk.risk_account.pk}/change/"
    for url, chip in lists.items():
        text = get(staff_client, url)
        assert text.count(f'<span class="fo-chip fo-bad">{chip}</span>') == 2, url
        assert '<span class="fo-chip fo-ok">open</span>' not in text, url
    assert "all are stopped" in get(staff_client, "/admin/live/")
    assert "Trading is stopped: Market data is wrong" in get(staff_client, page)
    told(staff_client, staff_client.post(INSTALLATION, {"engage": "0", **REASON}))
    told(staff_client, staff_client.post(of_tenant(world), {"engage": "1", **REASON}))
    text = get(staff_client, "/admin/orders/riskaccount/")
    assert text.count("stopped with its tenant") == 1
    assert text.count('<span class="fo-chip fo-ok">open</span>') == 1


def test_releasing_a_tenant_says_what_stays_stopped(staff_client, world: World):
    for url in (INSTALLATION, of_tenant(world), of_account(world)):
        told(staff_client, staff_client.post(url, {"engage": "1", **REASON}))
    question = staff_client.post(of_account(world), {"engage": "0"}).content.decode()
    assert "The installation&#x27;s own switch stays engaged" in question
    assert "The tenant&#x27;s own switch stays engaged" in question
    told(staff_client, staff_client.post(of_tenant(world), {"engage": "0", **REASON}))
    account = world.acme.trade.desk.account.pk
    assert engaged() == {("installation", REASON["reason"]), (f"account {account}", REASON["reason"])}


def test_an_account_is_stopped_from_its_own_page(staff_client, world: World):
    risk = world.acme.trade.desk.risk_account
    said = press(staff_client, "orders.riskaccount", risk, "stop", **REASON)
    assert said == ["Trading is stopped on 1 account."]
    assert engaged() == {(f"account {risk.account_id}", REASON["reason"])}
    said = press(staff_client, "orders.riskaccount", risk, "release", **REASON)
    assert said == ["1 account may trade again."]
    assert engaged() == set()


def test_a_live_page_hears_of_a_stop_and_fetches_the_banner(staff_client, world: World):
    assert staff_client.get("/admin/orders/order/?live")["Finops-Stops"] == "none"
    told(staff_client, staff_client.post(of_tenant(world), {"engage": "1", **REASON}))
    tag = staff_client.get("/admin/orders/order/?live")["Finops-Stops"]
    assert tag != "none"
    assert f'data-tag="{tag}"' in get(staff_client, "/admin/orders/order/")
    banner = staff_client.get("/admin/stops/").content.decode()
    assert banner.lstrip().startswith('<section class="fo-stops"')
    assert "<b>acme</b>" in banner


def test_who_may_only_view_sees_the_switches_and_moves_none(viewing_client, world: World):
    text = get(viewing_client, PAGE)
    assert "The whole installation" in text
    assert "Stop…" not in text
    with staff_scope():
        before = AuditEntry.objects.count()
    for url in (INSTALLATION, of_tenant(world), of_account(world)):
        assert viewing_client.post(url, {"engage": "1", **REASON}).status_code == 403
    assert engaged() == set()
    with staff_scope():
        assert AuditEntry.objects.count() == before


@pytest.mark.parametrize(
    "path",
    ["installation/01900000-0000-7000-8000-000000000000/", "tenant/", "account/", "everything/"]
    + [f"{scope}/01900000-0000-7000-8000-000000000000/" for scope in ("tenant", "account", "planet")],
)
def test_what_is_not_there_is_not_stopped(staff_client, world: World, path):
    assert staff_client.post(f"{PAGE}{path}", {"engage": "1", **REASON}).status_code == 404
    assert engaged() == set()


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_a_switch_takes_post_alone(staff_client, world: World, method):
    assert getattr(staff_client, method)(of_tenant(world)).status_code == 403
    assert engaged() == set()


def test_the_page_is_for_staff_alone(client, world: World):
    for url in (PAGE, "/admin/stops/"):
        assert client.get(url).status_code == 302
    assert client.post(INSTALLATION, {"engage": "1", **REASON}).status_code == 302
    assert engaged() == set()


def test_a_search_takes_whatever_is_typed(staff_client, world: World):
    for typed in ("%", "' OR 1=1 --", "\x00", "9" * 5000):
        assert staff_client.get(PAGE, {"q": typed}).status_code == 200


def test_what_a_release_says_stays_readable(staff_client, world: World):
    told(staff_client, staff_client.post(of_tenant(world), {"engage": "1", **REASON}))
    response = staff_client.post(of_tenant(world), {"engage": "0", "confirmed": "1", "reason": "Feed is back"})
    assert [str(message) for message in get_messages(response.wsgi_request)] == ["Released: Acme."]
    with staff_scope():
        switch = KillSwitch.objects.get()
    assert (switch.engaged, switch.reason, read(KillSwitch, switch).changed_by) == (False, "Feed is back", "staff")
