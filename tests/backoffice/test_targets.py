"""What is named by type and id leads to its page: from the audit log, events, deliveries, incidents and jobs."""

from typing import Any

import pytest

from apps.core.actor import Actor
from apps.core.admin import named_in, target_links, target_url
from apps.core.ids import new_id
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.audit import make_entry
from tests.factories.outbox import make_event

KEY = new_id()


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("order", "/admin/orders/order/{}/change/"),
        ("api_key", "/admin/tenants/apikey/{}/change/"),
        ("member", "/admin/tenants/membership/{}/change/"),
        ("webhook_endpoint", "/admin/webhooks/endpoint/{}/change/"),
        ("periodic_task", "/admin/django_celery_beat/periodictask/{}/change/"),
        ("lockout", ""),
    ],
)
def test_the_page_of_what_is_named(name: str, page: str):
    assert target_url(name, KEY) == page.format(KEY)


def test_keys_of_data_that_name_what_has_a_page_are_links_once_each():
    data = {"order_id": str(KEY), "client_order_id": "mine", "run_id": [None, str(KEY)], "note": str(KEY)}
    found = target_links([*named_in(data), ("order", str(KEY))])
    assert found == [("Order", f"/admin/orders/order/{KEY}/change/")]


def test_an_entry_leads_to_its_target_and_its_actor(staff_client: Any, world: World):
    tenant, member = world.acme.tenant, world.acme.member
    order = world.acme.trade.unknown
    actor = Actor(kind="user", label="Ada", tenant_id=tenant.pk, user_id=member.pk)
    entry = make_entry(tenant.pk, actor=actor, target_id=order.pk)
    target, user = f'href="/admin/orders/order/{order.pk}/change/"', f'href="/admin/users/user/{member.pk}/change/"'
    page = get(staff_client, f"/admin/audit/auditentry/{entry.pk}/change/")
    assert target in page
    assert user in page
    assert target in get(staff_client, "/admin/audit/auditentry/")
    assert get(staff_client, f"/admin/orders/order/{order.pk}/change/")


def test_an_event_and_its_delivery_lead_to_what_they_tell_of(staff_client: Any, world: World):
    delivery = world.acme.trade.delivery
    link = f'href="/admin/orders/order/{delivery.entity_id}/change/"'
    event = make_event(world.acme.tenant.pk, entity_id=delivery.entity_id)
    assert link in get(staff_client, f"/admin/outbox/outboxevent/{event.pk}/change/")
    assert link in get(staff_client, f"/admin/webhooks/delivery/{delivery.pk}/change/")
