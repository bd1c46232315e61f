"""The dashboard: exact numbers across tenants, few queries, a fragment that keeps it live."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection as database_connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.backoffice import selectors, site
from apps.backoffice.board import present
from apps.backoffice.board.durations import quantile
from apps.core import clock
from apps.core.db.counting import count_and_oldest, count_bounded
from apps.core.ids import lowest_id, new_id
from apps.core.scope import staff_scope
from apps.jobs.models import Job
from tests.backoffice.desk import make_delivery
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.world import World
from tests.factories.orders import make_kill_switch
from tests.factories.users import make_user

QUERIES = 37


def tiles_at(now) -> dict[str, tuple[str, str, str]]:
    with staff_scope():
        board = present(selectors.dashboard(now=now))
    return {str(tile.label): (str(tile.value), str(tile.hint), tile.tone) for tile in board["tiles"]}


def of_the_day(hours) -> dict[str, int]:
    """Sum up the hours' counts: between the making of the world and the test an hour may end."""
    return dict(sum((Counter(counts) for _, counts in hours), Counter()))


def test_an_empty_platform_is_told_what_comes_next(staff_client):
    text = staff_client.get("/admin/").content.decode()
    assert "No sync in the last 24 hours." in text
    assert "None yet. A tenant connects a bank through the API" in text
    assert "All quiet." in text


def test_the_tiles_count_both_tenants(world: World):
    tiles = tiles_at(world.built_at + timedelta(seconds=5))
    assert tiles["Active connections"] == ("4", "2 failing", "warn")
    assert tiles["Syncs · 24 h"] == ("2", "2 failed, 2 under way", "bad")
    assert tiles["Transactions in · 24 h"] == ("0", "0 rows in quarantine", "idle")
    assert tiles["Open incidents"] == ("2", "2 dead letters", "bad")
    value, hint, tone = tiles["Jobs due"]
    assert (value, tone) == ("4", "ok")
    assert hint.startswith("oldest waits ")


def test_a_queue_that_waits_too_long_is_marked(world: World):
    assert tiles_at(world.built_at + timedelta(seconds=40))["Jobs due"][2] == "warn"
    assert tiles_at(world.built_at + timedelta(minutes=6))["Jobs due"][2] == "bad"


def test_the_day_is_shown_by_hour(world: World):
    now = clock.now()
    with staff_scope():
        hours = selectors.dashboard(now=now).platform.hours
    assert len(hours) == 24
    assert hours[-1].at == now.replace(minute=0, second=0, microsecond=0)
    assert sum(hour.failed for hour in hours) == 2
    assert sum(hour.succeeded for hour in hours) == 0


def test_runs_older_than_a_day_do_not_count(world: World):
    tiles = tiles_at(clock.now() + timedelta(hours=25))
    assert tiles["Syncs · 24 h"][1] == "none failed"


def test_what_needs_attention_is_linked(staff_client, world: World):
    text = staff_client.get("/admin/").content.decode()
    assert f"/admin/incidents/incident/{world.acme.incident.pk}/change/" in text
    assert f"/admin/jobs/job/{world.globex.dead_job.pk}/change/" in text
    assert f"/admin/providers/syncrun/{world.acme.run.pk}/change/" in text
    assert "statement.import: TimeoutError" in text


def test_trading_is_counted_by_outcome(world: World):
    tiles = tiles_at(clock.now() + timedelta(seconds=5))
    assert tiles["Orders · 24 h"] == ("8", "2 filled, 2 denied", "idle")
    assert tiles["Open orders"] == ("4", "2 of unknown outcome", "bad")
    assert tiles["At the venue after"] == ("60 ms", "95 % within 60 ms", "ok")
    assert tiles["Trading accounts"] == ("2", "none is stopped", "ok")
    with staff_scope():
        trading = selectors.dashboard(now=clock.now()).trading
    assert of_the_day(trading.hours) == {"filled": 2, "open": 2, "denied": 2, "trouble": 2}
    assert list(trading.denials) == [("price_stale", 2)]


def test_deliveries_are_counted_by_what_became_of_them(world: World):
    trade = world.acme.trade
    now = clock.now()
    for status in ("succeeded", "succeeded", "succeeded"):
        make_delivery(trade.endpoint, trade.filled, status=status)
    make_delivery(trade.endpoint, trade.working, next_attempt_at=now - timedelta(seconds=40), leased_until=now)
    make_delivery(trade.endpoint, trade.filled, next_attempt_at=now, leased_until=now + timedelta(seconds=30))
    tiles = tiles_at(now)
    value, hint, tone = tiles["Deliveries · 24 h"]
    # What became of the attempts is told in tests/backoffice/test_webhooks.py: these deliveries had none.
    assert (value, hint, tone) == ("7", "nothing was sent", "bad")
    # What a sender that was killed has left is due again; what is on the wire is not.
    assert tiles["Deliveries waiting"] == ("2", "1 due, oldest 40 s", "warn")
    with staff_scope():
        webhooks = selectors.dashboard(now=now).webhooks
    assert of_the_day(webhooks.hours) == {"succeeded": 3, "failed": 2, "pending": 2}
    assert [(item.endpoint.pk, item.failed) for item in webhooks.failing] == [
        (trade.endpoint.pk, 1),
        (world.globex.trade.endpoint.pk, 1),
    ]


def test_orders_accounts_and_troubles_are_linked(staff_client, world: World):
    trade = world.acme.trade
    text = staff_client.get("/admin/").content.decode()
    assert f"/admin/orders/order/{trade.working.pk}/change/" in text
    assert f"/admin/orders/riskaccount/{trade.desk.risk_account.pk}/change/" in text
    assert f"/admin/webhooks/endpoint/{trade.endpoint.pk}/change/" in text
    assert "unknown outcome" in text
    assert "/admin/orders/riskdecision/?outcome__exact=denied&amp;code=price_stale" in text


def test_a_stopped_account_is_seen(staff_client, world: World):
    make_kill_switch(world.acme.trade.desk, engaged=True)
    assert tiles_at(clock.now())["Trading accounts"] == ("2", "switches engaged: 1", "bad")


@pytest.mark.parametrize(
    ("milliseconds", "share", "expected"),
    [([], 0.5, None), ([7], 0.5, 7), ([1, 2, 3, 4], 0.5, 2), ([1, 2, 3], 0.5, 2), (list(range(1, 101)), 0.95, 95)],
)
def test_a_quantile_is_one_of_the_durations(milliseconds, share, expected):
    found = quantile([timedelta(milliseconds=value) for value in milliseconds], share)
    assert found == (None if expected is None else timedelta(milliseconds=expected))


def test_the_board_takes_a_fixed_number_of_queries(world: World):
    with staff_scope(), CaptureQueriesContext(database_connection) as captured:
        present(selectors.dashboard(now=clock.now()))
    assert len(captured) == QUERIES


def test_the_fragment_is_the_board_alone(staff_client, world: World):
    fragment = staff_client.get("/admin/live/")
    text = fragment.content.decode()
    assert fragment.status_code == 200
    assert "<html" not in text
    assert "Latest sync runs" in text
    assert 'data-live="/admin/live/"' in staff_client.get("/admin/").content.decode()


def test_open_pages_share_a_board_for_two_seconds(staff_client, world: World, monkeypatch):
    staff_client.get("/admin/live/")
    with CaptureQueriesContext(database_connection) as captured:
        staff_client.get("/admin/live/")
    assert [query["sql"] for query in captured if "providers_syncrun" in query["sql"]] == []
    monkeypatch.setattr(site.board, "_seconds", 0)
    with CaptureQueriesContext(database_connection) as captured:
        staff_client.get("/admin/live/")
    assert len([query["sql"] for query in captured if "providers_syncrun" in query["sql"]]) == 3


def test_a_long_backlog_is_counted_up_to_the_bound(world: World):
    with staff_scope():
        jobs = list(Job.objects.all())
        assert count_bounded(Job.objects.all()) == 6
        assert count_bounded(Job.objects.all(), at_most=2) == 3
        count, oldest = count_and_oldest(Job.objects.all(), "run_at")
    assert count == 6
    assert oldest == min(job.run_at for job in jobs)


def test_the_fragment_is_for_staff(database):
    assert Client().get("/admin/live/").status_code == 302


def test_the_sidebar_counts_what_waits_for_people(staff_client, world: World):
    text = staff_client.get("/admin/accounts/account/").content.decode()
    assert text.count('<span class="fo-badge">2</span>') == 2


def test_no_script_is_inline_in_ours(staff_client):
    assert "<script" not in staff_client.get("/admin/live/").content.decode()


def test_the_lowest_id_of_a_moment_is_below_every_id_after_it():
    before = clock.now()
    made = new_id()
    assert lowest_id(before) <= made < lowest_id(clock.now() + timedelta(seconds=1))
    assert lowest_id(before).int & ((1 << 80) - 1) == 0


def test_who_may_not_view_what_it_shows_sees_nothing_of_it(database, world: World):
    user = make_user("newcomer", is_staff=True)
    client = open_session(user, enrol(user))
    page = client.get("/admin/")
    assert (page.status_code, client.get("/admin/live/").status_code) == (200, 403)
    assert "Ask an administrator for the permission" in page.content.decode()
    assert "Active connections" not in page.content.decode()
