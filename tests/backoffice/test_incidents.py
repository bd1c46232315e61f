"""Incidents, as the person reads them who is woken by one: what it is about, and what to do."""

from apps.core import clock
from apps.incidents.admin import REMEDIES
from apps.incidents.models import Incident
from apps.jobs.events import JOB_DEAD
from apps.ops.events import VERIFICATION_FINDINGS
from apps.orders.services.alarms import (
    ANOTHER_ORDER,
    FILL_REFUSED,
    FOUND_AFTER_LOST,
    LATE_FILL,
    ORDER_VANISHED,
    OUTCOME_UNKNOWN,
)
from apps.orders.services.drift import POSITION_DRIFT
from apps.providers.services.runs import INCIDENT_KIND
from apps.webhooks.events import DISABLED_INCIDENT, FAILING_INCIDENT
from tests.backoffice.test_actions import press
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.incidents import make_incident

LIST = "/admin/incidents/incident/"
KINDS = {
    ANOTHER_ORDER,
    DISABLED_INCIDENT,
    FAILING_INCIDENT,
    FILL_REFUSED,
    FOUND_AFTER_LOST,
    INCIDENT_KIND,
    JOB_DEAD,
    LATE_FILL,
    ORDER_VANISHED,
    OUTCOME_UNKNOWN,
    POSITION_DRIFT,
    VERIFICATION_FINDINGS,
}


def about(world: World, kind: str, target_type: str, target) -> Incident:
    tenant = world.acme.tenant
    return make_incident(
        now=clock.now(), tenant_id=tenant.pk, kind=kind, key=kind, target_type=target_type, target_id=target.pk
    )


def test_every_kind_has_its_remedy():
    assert set(REMEDIES) == KINDS


def test_an_incident_leads_to_what_it_is_about(staff_client, world: World):
    trade = world.acme.trade
    targets = (("order", trade.unknown), ("account", trade.desk.account), ("webhook_endpoint", trade.endpoint))
    for target_type, target in targets:
        about(world, f"test.{target_type}", target_type, target)
    text = get(staff_client, LIST)
    for url in (
        f"/admin/orders/order/{trade.unknown.pk}/change/",
        f"/admin/accounts/account/{trade.desk.account.pk}/change/",
        f"/admin/webhooks/endpoint/{trade.endpoint.pk}/change/",
    ):
        assert f'href="{url}"' in text, url
        assert get(staff_client, url)


def test_whoever_looks_at_an_incident_is_named_beside_what_to_do(staff_client, world: World):
    incident = about(world, OUTCOME_UNKNOWN, "order", world.acme.trade.unknown)
    assert "declare it lost on the order's page" in get(staff_client, f"{LIST}{incident.pk}/change/")
    press(staff_client, "incidents.incident", incident, "acknowledge")
    text = get(staff_client, f"{LIST}{incident.pk}/change/")
    assert "staff is looking at it. Ask the venue for the client order id." in text
