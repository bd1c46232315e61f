"""What tenants, banks and browsers wrote is text on every page of the admin, never markup of ours."""

from django.test import Client

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.orders.enums import SwitchScope
from apps.orders.services.kill_switch import set_kill_switch
from apps.tenants.models import Tenant
from apps.tenants.services import create_tenant
from apps.users.models import Session, User
from tests.backoffice.test_pages import list_url, page_url
from tests.backoffice.world import make_session
from tests.factories.accounts import make_account, make_transaction
from tests.factories.incidents import make_incident
from tests.factories.market import make_instrument
from tests.factories.outbox import make_event
from tests.factories.providers import make_connection
from tests.factories.tenants import make_api_key, make_member
from tests.factories.webhooks import make_endpoint

HOSTILE = "'\"><script>alert(1)</script>{{7*7}}{%%}"
# The labels of whose rows the text is a part.
TOLD = {
    "accounts.account",
    "accounts.transaction",
    "audit.auditentry",
    "incidents.incident",
    "market.instrument",
    "outbox.outboxevent",
    "providers.connection",
    "tenants.apikey",
    "tenants.tenant",
    "users.session",
    "users.user",
    "webhooks.endpoint",
}


def make_hostile_rows() -> Tenant:
    now = clock.now()
    tenant = create_tenant(slug="evil", name=HOSTILE, actor=system_actor("tests"), now=now)
    actor = system_actor(HOSTILE, tenant_id=tenant.id)
    connection = make_connection(tenant, label=HOSTILE)
    account = make_account(tenant, connection=connection, name=HOSTILE)
    make_transaction(account, description=HOSTILE, counterparty=HOSTILE, note=HOSTILE)
    make_event(tenant.id, data={"client_order_id": HOSTILE})
    make_incident(now=now, tenant_id=tenant.id, target_id=connection.id, title=HOSTILE, actor=actor)
    make_instrument(name=HOSTILE)
    make_endpoint(tenant, description=HOSTILE)
    member = make_member(tenant, "mallory")
    with staff_scope():
        User.objects.filter(pk=member.pk).update(display_name=HOSTILE)
        Session.objects.filter(pk=make_session(member, tenant).pk).update(user_agent=HOSTILE)
    make_api_key(tenant, name=HOSTILE)
    return tenant


def test_what_others_wrote_is_text(staff_client: Client, database: str) -> None:
    tenant = make_hostile_rows()
    pages = {
        (label, url): staff_client.get(url).content.decode()
        for label in TOLD
        for url in (list_url(label), page_url(label))
    }
    assert [url for url, text in pages.items() if "<script>alert" in text] == []
    assert {label for (label, _url), text in pages.items() if "&lt;script&gt;alert" in text} == TOLD
    assert "{{7*7}}{%%}" in pages["tenants.apikey", page_url("tenants.apikey")]
    # Stopped trading is told of on every page, in the words of whoever stopped it.
    actor = system_actor(HOSTILE, tenant_id=tenant.id)
    set_kill_switch(scope=SwitchScope.TENANT, engaged=True, reason=HOSTILE, actor=actor, now=clock.now())
    banner = staff_client.get("/admin/stops/").content.decode()
    assert ("<script>" in banner, "&lt;script&gt;alert" in banner) == (False, True)


def test_no_page_is_kept_by_a_browser(staff_client: Client, database: str) -> None:
    make_api_key(create_tenant(slug="acme", name="Acme", actor=system_actor("tests"), now=clock.now()))
    for url in (
        "/admin/",
        "/admin/live/",
        list_url("tenants.apikey"),
        page_url("tenants.apikey"),
        "/admin/kill-switch/",
    ):
        response = staff_client.get(url)
        assert response.status_code == 200
        assert {"no-store", "private"} <= set(response["Cache-Control"].split(", ")), url
