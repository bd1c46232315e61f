"""A request is traced by its id: what it changed, which events and jobs it left, and whether they arrived."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission

from apps.backoffice.tracing import AT_MOST
from apps.core import clock
from apps.core.actor import Actor
from apps.core.ids import lowest_id, new_id
from apps.core.scope import staff_scope, write_scope
from apps.jobs.services import enqueue
from apps.jobs.types import JobKind
from tests.backoffice.desk import make_delivery
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.audit import make_entry
from tests.factories.outbox import make_event
from tests.factories.users import make_user

PAGE = "/admin/requests/"


def test_everything_that_carries_the_id_is_one_story(staff_client: Any, world: World):
    tenant, order, now = world.acme.tenant, world.acme.trade.unknown, clock.now()
    actor = Actor(kind="user", label="Ada Lovelace", tenant_id=tenant.pk, request_id=str(new_id()))
    entry = make_entry(tenant.pk, actor=actor, target_id=order.pk, now=now)
    event = make_event(tenant.pk, entity_id=order.pk, actor=actor)
    delivery = make_delivery(world.acme.trade.endpoint, order, event_id=event.pk)
    with write_scope(actor):
        kind = JobKind("statement.import", "default")
        job = enqueue(kind=kind, payload={}, actor=actor, now=now, run_at=now + timedelta(hours=1))
    text = get(staff_client, f"{PAGE}?id={actor.request_id}")
    for page in (
        f"/admin/audit/auditentry/{entry.pk}/change/",
        f"/admin/outbox/outboxevent/{event.pk}/change/",
        f"/admin/jobs/job/{job.pk}/change/",
        f"/admin/webhooks/delivery/{delivery.pk}/change/",
        f"/admin/orders/order/{order.pk}/change/",
    ):
        assert f'href="{page}"' in text, page
    assert "Ada Lovelace" in text
    assert f"{PAGE}?id={actor.request_id}" in get(staff_client, f"/admin/jobs/job/{job.pk}/change/")


def test_an_id_that_nothing_carries_says_where_else_to_look(staff_client: Any, world: World):
    assert "Nothing carries this id" in get(staff_client, f"{PAGE}?id=nonsense")
    assert "Nothing carries this id" in get(staff_client, f"{PAGE}?id=nonsense&at=nonsense")
    assert "What became of a request?" in get(staff_client, PAGE)


def test_an_id_is_found_whenever_it_came_and_about_a_time_where_one_is_named(staff_client: Any, world: World):
    """A client may send one of its own, or an old one of ours, again and again."""
    tenant, now = world.acme.tenant, clock.now()
    for asked in ("nightly", str(lowest_id(now - timedelta(days=900)))):
        actor = Actor(kind="user", label="Ada", tenant_id=tenant.pk, request_id=asked)
        entry = f"/admin/audit/auditentry/{make_entry(tenant.pk, actor=actor, now=now).pk}/change/"
        assert entry in get(staff_client, f"{PAGE}?id={asked}")
        assert entry in get(staff_client, f"{PAGE}?id={asked}&at={now:%Y-%m-%dT%H:%M}")
        elsewhere = get(staff_client, f"{PAGE}?id={asked}&at={now - timedelta(days=3):%Y-%m-%dT%H:%M}")
        assert entry not in elsewhere
        assert f'href="{PAGE}?id={asked}">Look at all times</a>' in elsewhere


def test_of_very_many_the_newest_are_shown(staff_client: Any, world: World):
    tenant, now = world.acme.tenant, clock.now()
    actor = Actor(kind="user", label="Ada", tenant_id=tenant.pk, request_id="nightly")
    with write_scope(actor):
        entries = [make_entry(tenant.pk, actor=actor, now=now).pk for _number in range(AT_MOST + 1)]
    text = get(staff_client, f"{PAGE}?id=nightly")
    shown = [f"/admin/audit/auditentry/{key}/change/" in text for key in entries]
    assert shown == [False] + [True] * AT_MOST
    assert "the newest 200 of each kind are shown" in text


def test_times_that_no_clock_shows_find_nothing(staff_client: Any, world: World):
    for asked in ("ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000", "mine"):
        for at in ("", "0001-01-01", "9999-12-31T23:59", "2026-01-01T00:00"):
            assert "Nothing carries this id" in get(staff_client, f"{PAGE}?id={asked}&at={at}"), (asked, at)


def test_each_part_is_for_who_may_see_it(world: World):
    tenant = world.acme.tenant
    actor = Actor(kind="user", label="Ada", tenant_id=tenant.pk, request_id=str(new_id()))
    entry, event = make_entry(tenant.pk, actor=actor, now=clock.now()), make_event(tenant.pk, actor=actor)
    user = make_user("newcomer", is_staff=True)
    client = open_session(user, enrol(user))
    assert client.get(f"{PAGE}?id={actor.request_id}").status_code == 403
    with staff_scope():
        user.user_permissions.set(Permission.objects.filter(codename__in=("view_auditentry", "operate_tenant")))
    text = get(client, f"{PAGE}?id={actor.request_id}")
    assert str(entry.pk) in text
    assert str(event.pk) not in text
