"""Live pages: the part alone, a 304 while nothing has changed, and few queries."""

import pytest
from django.test import Client

from apps.core import clock
from apps.core.scope import write_scope
from apps.orders.services.requests import request_cancel
from tests.backoffice.desk import make
from tests.backoffice.test_pages import BASELINES, visit
from tests.backoffice.world import World

LIVE_LISTS = [
    "incidents.incident",
    "jobs.job",
    "market.quote",
    "market.venueclock",
    "orders.fill",
    "orders.order",
    "orders.position",
    "orders.riskaccount",
    "orders.riskdecision",
    "webhooks.delivery",
    "webhooks.endpoint",
]


def url_of(label: str) -> str:
    return f"/admin/{label.replace('.', '/')}/"


def again(client, url: str, tag: str):
    return client.get(url, headers={"If-None-Match": tag})


def test_a_list_that_has_not_changed_is_a_304_without_a_body(staff_client, world: World):
    for label in LIVE_LISTS:
        url = f"{url_of(label)}?live"
        first = staff_client.get(url)
        assert first.status_code == 200, label
        text = first.content.decode()
        assert "<html" not in text, label
        assert '<tr data-key="' in text, label
        second = again(staff_client, url, first["ETag"])
        assert (second.status_code, second.content) == (304, b""), label
        assert second["ETag"] == first["ETag"], label


def test_a_change_of_one_order_is_seen(staff_client, world: World):
    url = f"{url_of('orders.order')}?live"
    tag = staff_client.get(url)["ETag"]
    desk, order = world.acme.trade.desk, world.acme.trade.working
    with write_scope(desk.actor):
        request_cancel(order_id=order.pk, actor=desk.actor, now=clock.now())
    answer = again(staff_client, url, tag)
    assert answer.status_code == 200
    assert "Cancel asked" in answer.content.decode()


def test_a_live_list_keeps_its_filters_and_its_page(staff_client, world: World):
    page = f"{url_of('orders.order')}?tenant={world.acme.tenant.pk}&standing=open"
    shown = staff_client.get(page)
    live = f"?tenant={world.acme.tenant.pk}&standing=open&live="
    assert shown.context["live_url"] == live
    part = staff_client.get(f"{url_of('orders.order')}{live}").content.decode()
    assert "acme-working" in part
    assert "globex-working" not in part
    assert "acme-filled" not in part
    tag = staff_client.get(f"{url_of('orders.order')}{live}")["ETag"]
    make(world.globex.trade.desk, "another")
    assert again(staff_client, f"{url_of('orders.order')}{live}", tag).status_code == 304


def test_pages_of_a_live_list_stay_what_they_are(staff_client, world: World):
    for number in range(60):
        make(world.acme.trade.desk, f"n{number}")
    first = staff_client.get(url_of("orders.order"))
    following = f"{url_of('orders.order')}{first.context['cl'].next_url}"
    page = staff_client.get(following)
    live = f"{url_of('orders.order')}{page.context['live_url']}"
    part = staff_client.get(live).content.decode()
    keys = [str(row.pk) for row in page.context["cl"].result_list]
    assert [key for key in keys if f'data-key="{key}"' in part] == keys
    assert "&amp;live=" not in part


def test_an_unchanged_list_asks_for_its_rows_and_nothing_else(staff_client, world: World):
    count, _text = visit(staff_client, f"{url_of('orders.order')}?live")
    # Who asks (3), the rows, their tenants, and whether trading is stopped: no filters, no badges.
    assert count == 6
    assert count < BASELINES["orders.order"][0]


def test_a_record_that_has_not_changed_is_a_304_although_time_passes(staff_client, world: World):
    for label, obj in (("orders.order", world.acme.trade.filled), ("webhooks.endpoint", world.acme.trade.endpoint)):
        url = f"{url_of(label)}{obj.pk}/change/?live"
        first = staff_client.get(url)
        assert first.content.decode().lstrip().startswith('<div class="fo-detail"')
        assert "ago</time>" in first.content.decode() or "now</time>" in first.content.decode()
        assert again(staff_client, url, first["ETag"]).status_code == 304, label


def test_a_record_that_has_changed_is_sent_anew(staff_client, world: World):
    desk, order = world.acme.trade.desk, world.acme.trade.working
    url = f"{url_of('orders.order')}{order.pk}/change/?live"
    tag = staff_client.get(url)["ETag"]
    with write_scope(desk.actor):
        request_cancel(order_id=order.pk, reason="fat finger", actor=desk.actor, now=clock.now())
    answer = again(staff_client, url, tag)
    assert answer.status_code == 200
    assert "fat finger" in answer.content.decode()


def test_an_order_page_says_that_it_is_live(staff_client, world: World):
    text = staff_client.get(f"{url_of('orders.order')}{world.acme.trade.filled.pk}/change/").content.decode()
    assert 'data-live="?live"' in text
    assert "data-live-until-still" not in text
    assert "backoffice/live.js" in text


def test_the_board_is_a_304_until_it_is_made_anew(staff_client, world: World):
    tag = staff_client.get("/admin/live/")["ETag"]
    assert again(staff_client, "/admin/live/", tag).status_code == 304


def test_live_parts_are_for_staff_who_may_see_them(database, world: World):
    for url in ("/admin/live/", f"{url_of('orders.order')}?live"):
        assert Client().get(url).status_code == 302


@pytest.mark.parametrize(
    "query", ["live&tenant=nonsense", "live&after=nonsense", "live&status__exact=\x00", "live&nope__x=1"]
)
def test_a_live_part_of_a_forged_list_is_none(staff_client, world: World, query):
    assert staff_client.get(f"{url_of('orders.order')}?{query}").status_code in (302, 404)
