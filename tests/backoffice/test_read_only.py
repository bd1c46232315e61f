"""Staff switch writing off and on in the admin, also while it is off."""

from apps.core import clock
from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope
from apps.users.models import Session
from tests.backoffice.test_actions import leaves, press, read, told
from tests.backoffice.world import World

ENGAGE = "/admin/core/readonlyswitch/engage/"


def reasons() -> list[str]:
    with staff_scope():
        return list(ReadOnlySwitch.objects.order_by("engaged_at").values_list("reason", flat=True))


def test_a_tenants_writing_is_switched_off_and_on_on_its_page(staff_client, world: World):
    tenant = world.acme.tenant
    page = f"/admin/tenants/tenant/{tenant.pk}/change/"
    assert "engage_read_only" in staff_client.get(page).content.decode()
    data = {"confirmed": "1", "reason": "Year-end closing"}
    assert press(staff_client, "tenants.tenant", tenant, "engage_read_only", **data) == ["Writing is off for 1 tenant."]
    shown = staff_client.get(page).content.decode()
    assert "Year-end closing" in shown
    assert "release_read_only" in shown
    assert "do/engage_read_only" not in shown
    said = press(staff_client, "users.session", world.acme.session, "revoke", confirmed="1", reason="lost laptop")
    assert said == ["1 session revoked."]
    assert read(Session, world.acme.session).revoked_at is not None
    data = {"confirmed": "1", "reason": "closed"}
    assert press(staff_client, "tenants.tenant", tenant, "release_read_only", **data) == ["Writing is on for 1 tenant."]
    assert reasons() == []
    assert [leaf.actor["label"] for leaf in leaves(tenant, "read_only.released")] == ["staff"]


def test_the_installations_writing_is_switched_off_and_on_under_trust(staff_client, world: World):
    assert "Switch writing off for everybody" in staff_client.get("/admin/core/readonlyswitch/").content.decode()
    assert "The whole installation" in staff_client.post(ENGAGE).content.decode()
    assert reasons() == []
    assert told(staff_client, staff_client.post(ENGAGE, {"confirmed": "1", "reason": "Restore"})) == [
        "Writing is switched off."
    ]
    assert reasons() == ["Restore"]
    with staff_scope():
        switch = ReadOnlySwitch.objects.get()
    assert press(staff_client, "core.readonlyswitch", switch, "release", confirmed="1", reason="restored") == [
        "1 switch released."
    ]
    assert reasons() == []


def test_who_may_only_view_switches_nothing(viewing_client, world: World):
    with staff_scope():
        switch = ReadOnlySwitch.objects.create(reason="Restore", engaged_at=clock.now())
    data = {"confirmed": "1", "reason": "because"}
    assert viewing_client.post(ENGAGE, data).status_code == 403
    assert viewing_client.get(ENGAGE).status_code == 403
    assert viewing_client.post(f"/admin/core/readonlyswitch/{switch.pk}/do/release/", data).status_code == 403
    tenant = f"/admin/tenants/tenant/{world.acme.tenant.pk}/do/engage_read_only/"
    assert viewing_client.post(tenant, data).status_code == 403
    assert "Switch writing off" not in viewing_client.get("/admin/core/readonlyswitch/").content.decode()
    assert reasons() == ["Restore"]
