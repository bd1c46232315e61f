"""Staff erase what a log says of a person: told beforehand what goes and what stays, with a reason."""

from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.opening import open_entries
from apps.core.actor import Actor
from apps.core.scope import staff_scope
from tests.backoffice.test_actions import leaves, press
from tests.backoffice.world import World
from tests.factories.audit import make_entry


def _made(world: World) -> tuple[AuditEntry, AuditSubjectKey]:
    tenant, user = world.acme.tenant, world.acme.member
    actor = Actor(kind="user", label="Ada L.", tenant_id=tenant.pk, user_id=user.pk, ip="192.0.2.7")
    entry = make_entry(tenant.pk, actor=actor)
    with staff_scope():
        return entry, AuditSubjectKey.objects.get(tenant_id=tenant.pk, subject=user.pk)


def _label(entry: AuditEntry) -> str:
    with staff_scope():
        return open_entries([AuditEntry.objects.get(pk=entry.pk)])[0].label


def test_the_page_says_what_goes_and_what_stays_and_a_reason_erases(staff_client, world: World):
    entry, key = _made(world)
    page = staff_client.get(f"/admin/audit/auditsubjectkey/{key.pk}/change/").content.decode()
    assert "Ada L." in page
    asked = staff_client.post(f"/admin/audit/auditsubjectkey/{key.pk}/do/erase/").content.decode()
    for said in ("Nobody can take that back", "Ada L. in the log of acme:", "Every hash and proof still verifies"):
        assert said in asked
    assert _label(entry) == "Ada L."
    data = {"confirmed": "1", "reason": "request 17"}
    assert press(staff_client, "audit.auditsubjectkey", key, "erase", **data) == ["1 person erased from a log."]
    assert _label(entry) == "[erased]"
    [leaf] = leaves(world.acme.tenant, "audit.subject_erased")
    assert (leaf.actor["label"], leaf.target_id, leaf.changes["reason"]) == (
        "staff",
        str(key.subject),
        [None, "request 17"],
    )
    shown = staff_client.get(f"/admin/audit/auditentry/{entry.pk}/change/").content.decode()
    assert "[erased]" in shown and "Ada L." not in shown


def test_without_the_permission_nobody_erases(viewing_client, world: World):
    entry, key = _made(world)
    data = {"confirmed": "1", "reason": "because"}
    assert viewing_client.post(f"/admin/audit/auditsubjectkey/{key.pk}/do/erase/", data).status_code == 403
    assert _label(entry) == "Ada L."
