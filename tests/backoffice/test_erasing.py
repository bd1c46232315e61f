"""Staff erase what a log says of a person: told beforehand what goes and what stays, with a reason."""

from apps.audit.models import AuditEntry, AuditSubjectKey
from apps.audit.opening import open_entries
from apps.audit.types import Personal
from apps.core.actor import Actor
from apps.core.scope import staff_scope
from tests.backoffice.test_actions import leaves, press
from tests.backoffice.test_pages import get
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
    for said in (
        "Nobody can take that back",
        "Ada L. in the log of acme: 1 entry as the actor loses name and address.",
        "Erased as well: what any entry of that log says of them",
        "Every hash and proof still verifies",
    ):
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


LIST = "/admin/audit/auditsubjectkey/"


def test_people_are_listed_by_name_and_found_by_it(staff_client, world: World):
    _entry, key = _made(world)
    listed = get(staff_client, LIST)
    assert "Ada L." in listed
    assert "order.submitted" in listed
    found = staff_client.get(f"{LIST}?q=acme-own").context["cl"].result_list
    assert {row.subject for row in found} == {key.subject}
    assert list(staff_client.get(f"{LIST}?q={key.subject}&tenant={key.tenant_id}").context["cl"].result_list) == [key]


def test_the_page_tells_what_they_did_and_what_was_done_to_them(staff_client, world: World):
    _entry, key = _made(world)
    make_entry(world.acme.tenant.pk, action="member.role_changed", target_type="user", target_id=key.subject)
    text = get(staff_client, f"{LIST}{key.pk}/change/")
    did, was_done = text.index("What they did last"), text.index("What was done to them last")
    assert did < text.index("order.submitted") < was_done < text.index("member.role_changed")


def test_of_someone_who_did_nothing_only_what_others_say_is_erased(staff_client, world: World):
    tenant, user = world.acme.tenant, world.acme.member
    about = Personal(user.pk, {"username": [None, user.username]})
    make_entry(tenant.pk, action="member.added", target_type="user", target_id=user.pk, personal=about)
    with staff_scope():
        key = AuditSubjectKey.objects.get(tenant_id=tenant.pk, subject=user.pk)
    assert "They did nothing in this log themselves" in get(staff_client, f"{LIST}{key.pk}/change/")
    asked = staff_client.post(f"{LIST}{key.pk}/do/erase/").content.decode()
    assert f"{user.username} in the log of acme: they did nothing there themselves." in asked
    assert "Erased: what entries of others in that log say of them" in asked
    assert "0 entries" not in asked


def test_who_was_erased_is_named_no_more(staff_client, world: World):
    _entry, key = _made(world)
    press(staff_client, "audit.auditsubjectkey", key, "erase", confirmed="1", reason="request 17")
    listed, page = (get(staff_client, url) for url in (f"{LIST}?q={key.pk}", f"{LIST}{key.pk}/change/"))
    for text in (listed, page):
        assert str(key.subject) in text
        assert [name for name in ("Ada L.", world.acme.member.username) if name in text] == []
