"""Staff who look as a member, in the admin: how it begins, what every page then says, what is seen, how it ends."""

import html as markup
import logging
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from guardian.shortcuts import assign_perm, remove_perm

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.logs import ContextFilter
from apps.core.scope import staff_scope, tenant_scope
from apps.tenants.models import Impersonation, Membership
from apps.users.models import Authenticator, User
from tests.backoffice.staff import code_of, enrol, open_session, wrong_code_of
from tests.backoffice.test_actions import told
from tests.backoffice.world import World
from tests.conftest import client_for
from tests.factories.audit import opened
from tests.factories.impersonations import make_impersonation
from tests.factories.tenants import make_member
from tests.factories.users import make_user

AS_MEMBER = "/admin/as-member/"
HEADER = "Finops-Impersonation"
WHY = {"confirmed": "1", "ticket": "SUP-1204", "reason": "They see no balance"}
SECTIONS = ("accounts", "transactions", "positions", "holdings", "connections", "providers")


def member_of(world: World) -> Membership:
    with staff_scope():
        return Membership.objects.get(tenant_id=world.acme.tenant.id, user_id=world.acme.member.id)


def start_url(world: World) -> str:
    return f"/admin/tenants/membership/{member_of(world).pk}/do/impersonate/"


def begun() -> list[Impersonation]:
    with staff_scope():
        return list(Impersonation.objects.order_by("id"))


def why(client: Client, **changes: str) -> dict[str, str]:
    """Return a good form, with a code of the signed-in staff user that nobody has used."""
    device = Authenticator.objects.get(user_id=client.session["_auth_user_id"])
    Authenticator.objects.filter(pk=device.pk).update(last_period=-1)
    return {**WHY, "code": code_of(device), **changes}


def begin(client: Client, world: World) -> Impersonation:
    response = client.post(start_url(world), why(client))
    assert (response.status_code, response["Location"]) == (302, AS_MEMBER)
    return begun()[-1]


def leaves(world: World, action: str) -> list[AuditEntry]:
    with tenant_scope(world.acme.tenant.id):
        return opened(AuditEntry.objects.filter(action=action).order_by("position"))


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content
    return markup.unescape(response.content.decode())


@pytest.fixture
def looking(staff_client: Client, world: World) -> Impersonation:
    return begin(staff_client, world)


def client_who_may(name: str, *codenames: str) -> Client:
    user = make_user(name, is_staff=True)
    with staff_scope():
        user.user_permissions.set(Permission.objects.filter(codename__in=(*codenames, "operate_tenant")))
    return open_session(user, enrol(user))


def test_it_begins_at_the_members_page_with_a_ticket_and_a_reason(staff_client, staff, world: World):
    question = text_of(staff_client.post(start_url(world)))
    assert "The tenant reads your name, the ticket, the reason" in question
    row = begin(staff_client, world)
    assert (row.staff_id, row.user_id, row.ticket) == (staff.pk, world.acme.member.pk, "SUP-1204")
    (leaf,) = leaves(world, "impersonation.started")
    assert (leaf.actor["kind"], leaf.request_id) == ("staff", "request-of-staff")


@pytest.mark.parametrize("missing", ["ticket", "reason"])
def test_without_either_nothing_begins(staff_client, world: World, missing: str):
    page = text_of(staff_client.post(start_url(world), why(staff_client, **{missing: " "})))
    assert "the tenant reads it." in page
    assert (begun(), leaves(world, "impersonation.started")) == ([], [])


def test_what_the_service_refuses_stands_on_the_form(staff_client, looking, world: World):
    assert "Another impersonation is active" in text_of(staff_client.post(start_url(world), why(staff_client)))
    assert len(begun()) == 1


def test_it_takes_a_permission_of_its_own(viewing_client, world: World):
    changing = client_who_may("changer", "view_membership", "change_membership", "change_tenant")
    for client in (viewing_client, changing):
        assert client.post(start_url(world), why(client)).status_code == 403
        assert client.get(AS_MEMBER).status_code == 403
    assert begun() == []
    support = client_who_may("support", "view_membership", "impersonate_membership")
    assert begin(support, world).staff_name == "support"


def test_it_takes_a_fresh_code_whoever_has_the_session(staff_client, device, world: World):
    good = why(staff_client)["code"]
    for code in ("", wrong_code_of(device), "not-a-code"):
        page = text_of(staff_client.post(start_url(world), {**WHY, "code": code}))
        assert ("Enter a code" if not code else "The code is not right, or was used") in page
        Authenticator.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert begun() == []
    begin(staff_client, world)
    staff_client.post(f"{AS_MEMBER}end/")
    assert "or was used" in text_of(staff_client.post(start_url(world), {**WHY, "code": good}))
    assert len(begun()) == 1


def test_a_get_begins_nothing(staff_client, world: World):
    assert staff_client.get(start_url(world), WHY).status_code == 403
    assert begun() == []


def test_every_page_says_so_and_every_answer_names_it(staff_client, looking, world: World):
    pages = ["/admin/", "/admin/orders/order/", f"/admin/tenants/membership/{member_of(world).pk}/change/", AS_MEMBER]
    pages += ["/admin/kill-switch/", "/admin/password_change/", "/admin/tenants/impersonation/"]
    for page in pages:
        response = staff_client.get(page)
        shown = text_of(response)
        assert f'data-id="{looking.pk}"' in shown, page
        assert "<b>staff</b> looks as <b>Acme Owner</b>" in shown, page
        assert response[HEADER] == str(looking.pk), page
    missing = staff_client.get("/admin/nothing/")
    assert f'data-id="{looking.pk}"' in text_of(missing, 404)
    for path in ("/admin/live/", "/admin/stops/", "/admin/orders/order/?live"):
        assert staff_client.get(path)[HEADER] == str(looking.pk)


def test_nobody_elses_pages_say_anything(viewing_client, looking):
    response = viewing_client.get("/admin/tenants/tenant/")
    assert HEADER not in response
    assert "fo-as" not in text_of(response)


def test_each_section_shows_what_the_member_sees_and_is_recorded(staff_client, looking, world: World):
    shown = {section: text_of(staff_client.get(f"{AS_MEMBER}{section}/")) for section in SECTIONS}
    assert "acme bank" in shown["connections"]
    assert "globex" not in "".join(shown.values())
    requests = [leaf.changes for leaf in leaves(world, "impersonation.looked")]
    assert requests == [
        {"request": [None, f"GET /api/v1/{section} (limit)"], "status": [None, 200]} for section in SECTIONS
    ]
    for leaf in leaves(world, "impersonation.looked"):
        both = (leaf.actor["user_id"], leaf.actor["impersonator_id"])
        assert both == (str(world.acme.member.pk), str(looking.staff_id))
    page = text_of(staff_client.get(f"/admin/tenants/impersonation/{looking.pk}/change/"))
    assert "GET /api/v1/positions (limit)" in page


def test_the_log_line_of_a_page_names_both_once_it_has_looked(staff_client, looking, caplog):
    caplog.handler.addFilter(ContextFilter())
    caplog.set_level(logging.INFO, "finops.request")
    for page in (f"{AS_MEMBER}accounts/", AS_MEMBER):
        assert staff_client.get(page).status_code == 200
    lines = [record for record in caplog.records if record.name == "finops.request"][-2:]
    both = (str(looking.user_id), str(looking.staff_id))
    assert [(line.user_id, line.impersonator_id) for line in lines] == [both, ("", "")]


def test_a_record_is_the_apis_answer(staff_client, looking, world: World):
    connection = world.acme.connection
    shown = text_of(staff_client.get(f"{AS_MEMBER}connections/{connection.pk}/"))
    assert "acme bank" in shown
    theirs = staff_client.get(f"{AS_MEMBER}connections/{world.globex.connection.pk}/")
    assert "404, not_found" in text_of(theirs, 404)


def test_what_the_role_does_not_give_is_not_shown(staff_client, world: World):
    with staff_scope():
        clerk = Membership.objects.get(user_id=make_member(world.acme.tenant, "clerk", "billing").pk)
    staff_client.post(f"/admin/tenants/membership/{clerk.pk}/do/impersonate/", why(staff_client))
    assert "The member's role does not give it." in text_of(staff_client.get(AS_MEMBER))
    for section in SECTIONS:
        assert "403, permission_denied" in text_of(staff_client.get(f"{AS_MEMBER}{section}/"), 403)


@pytest.mark.parametrize(
    "section", ["orders", "api-keys", "members", "webhooks", "me", "usage", "tenant", "audit", "fills", "nothing"]
)
def test_no_other_section_is_there(staff_client, looking, world: World, section: str):
    order = world.acme.trade.working.pk
    for path in (f"{AS_MEMBER}{section}/", f"{AS_MEMBER}{section}/{order}/"):
        assert staff_client.get(path).status_code == 404
    assert staff_client.get(f"{AS_MEMBER}accounts/../orders/").status_code == 404
    assert leaves(world, "impersonation.looked") == []


def test_pages_only_read(staff_client, looking, world: World):
    for path in (AS_MEMBER, f"{AS_MEMBER}accounts/", f"{AS_MEMBER}connections/{world.acme.connection.pk}/"):
        for method in ("post", "put", "patch", "delete"):
            assert getattr(staff_client, method)(path).status_code == 403, (path, method)
    assert leaves(world, "impersonation.looked") == []


def test_parameters_are_not_passed_on_but_for_three(staff_client, looking, world: World):
    text_of(staff_client.get(f"{AS_MEMBER}transactions/?search=payroll&expand=secrets&status=removed"))
    (leaf,) = leaves(world, "impersonation.looked")
    assert leaf.changes["request"] == [None, "GET /api/v1/transactions (search, limit)"]
    assert "InvalidCursor" not in text_of(staff_client.get(f"{AS_MEMBER}accounts/?cursor=forged"), 400)


def test_a_token_is_shown_once_and_works_until_the_end(staff_client, looking, world: World):
    assert staff_client.get(f"{AS_MEMBER}token/").status_code == 403
    shown = text_of(staff_client.post(f"{AS_MEMBER}token/"))
    token = shown.split("data-token>")[1].split("<")[0]
    assert token.startswith("fos_")
    api = client_for(token)
    assert api.get("/api/v1/accounts").status_code == 200
    assert token not in text_of(staff_client.get(AS_MEMBER))
    assert staff_client.post(f"{AS_MEMBER}end/").status_code == 302
    assert api.get("/api/v1/accounts").status_code == 401


def test_who_began_it_ends_it_with_one_click(staff_client, looking):
    response = staff_client.post(f"{AS_MEMBER}end/")
    assert told(staff_client, response)[-1:] == ["You look as yourself again."]
    assert begun()[0].ending == "ended"
    page = staff_client.get("/admin/")
    assert HEADER not in page
    for path in (AS_MEMBER, f"{AS_MEMBER}accounts/"):
        gone = staff_client.get(path)
        assert (gone.status_code, gone["Location"]) == (302, "/admin/tenants/membership/")


def test_another_with_the_right_ends_it_from_the_list(looking, world: World):
    url = f"/admin/tenants/impersonation/{looking.pk}/do/end/"
    without = client_who_may("without", "view_impersonation", "change_impersonation")
    assert without.post(url, {"confirmed": "1", "reason": "why"}).status_code == 403
    other = client_who_may("other", "end_impersonation")
    assert "Acme Owner" in text_of(other.get("/admin/tenants/impersonation/?state=active"))
    assert "Say why" in text_of(other.post(url, {"confirmed": "1", "reason": ""}))
    assert begun()[0].ended_at is None
    response = other.post(url, {"confirmed": "1", "reason": "The ticket is closed"})
    assert told(other, response) == ["1 impersonation ended."]
    assert (begun()[0].ending, begun()[0].ended_by, begun()[0].end_reason) == (
        "stopped",
        "other",
        "The ticket is closed",
    )


def test_all_of_them_are_ended_from_the_list(world: World):
    rows = [
        make_impersonation(world.acme.tenant, world.acme.member, make_user(f"helper-{number}", is_staff=True))
        for number in range(3)
    ]
    other = client_who_may("other", "end_impersonation")
    chosen = {"action": "end", "_selected_action": [str(row.pk) for row in rows], "index": "0"}
    assert "3 objects" in text_of(other.post("/admin/tenants/impersonation/", chosen))
    told_ = told(
        other,
        other.post("/admin/tenants/impersonation/", {**chosen, "confirmed": "1", "reason": "An incident"}),
    )
    assert told_ == ["3 impersonations ended."]
    assert {row.ending for row in begun()} == {"stopped"}


def test_signing_out_ends_it(staff_client, looking):
    assert staff_client.post("/admin/logout/").status_code == 200
    assert begun()[0].ending == "signed_out"


def test_losing_the_permission_ends_the_pages(world: World):
    support = client_who_may("support", "view_membership", "impersonate_membership")
    begin(support, world)
    with staff_scope():
        User.objects.get(username="support").user_permissions.clear()
    assert support.get(f"{AS_MEMBER}accounts/").status_code == 403
    assert HEADER not in support.get("/admin/")


def test_losing_the_tenant_ends_them_as_well(world: World):
    support = client_who_may("support", "view_membership", "impersonate_membership", "view_tenant")
    user, acme = User.objects.get(username="support"), world.acme.tenant
    with staff_scope():
        user.user_permissions.remove(Permission.objects.get(codename="operate_tenant"))
        assign_perm("tenants.operate_tenant", user, acme)
    begin(support, world)
    token = text_of(support.post(f"{AS_MEMBER}token/")).split("data-token>")[1].split("<")[0]
    assert support.get(f"{AS_MEMBER}accounts/").status_code == 200
    with staff_scope():
        remove_perm("tenants.operate_tenant", user, acme)
    assert support.get(f"{AS_MEMBER}accounts/")["Location"] == "/admin/tenants/membership/"
    assert HEADER not in support.get("/admin/tenants/tenant/")
    assert client_for(token).get("/api/v1/accounts").status_code == 401


def test_staff_limited_to_another_tenant_begin_none(world: World):
    support = client_who_may("support", "view_membership", "impersonate_membership")
    user = User.objects.get(username="support")
    with staff_scope():
        user.user_permissions.remove(Permission.objects.get(codename="operate_tenant"))
        assign_perm("tenants.operate_tenant", user, world.globex.tenant)
    assert support.post(start_url(world), why(support)).status_code == 404
    assert begun() == []


def test_the_pages_of_a_suspended_tenant_end(staff_client, looking, world: World):
    staff_client.post(f"/admin/tenants/tenant/{world.acme.tenant.pk}/do/suspend/", {"confirmed": "1"})
    assert begun()[0].ending == "tenant_suspended"
    assert staff_client.get(f"{AS_MEMBER}accounts/").status_code == 302


def test_staff_act_as_themselves_meanwhile(staff_client, looking, world: World):
    """What staff may do in the admin anyway they still do, in their own name."""
    staff_client.post(
        f"/admin/tenants/tenant/{world.acme.tenant.pk}/do/engage_read_only/", {"confirmed": "1", "reason": "An audit"}
    )
    (leaf,) = leaves(world, "tenant.read_only_engaged") or leaves(world, "read_only.engaged")
    assert (leaf.actor["kind"], "impersonator_id" in leaf.actor) == ("staff", False)
    # Looking goes on, and is recorded, while writing is switched off.
    assert staff_client.get(f"{AS_MEMBER}accounts/").status_code == 200
    assert len(leaves(world, "impersonation.looked")) == 1


def test_it_is_not_begun_through_the_api(staff_client, looking, world: World):
    shown = text_of(staff_client.post(f"{AS_MEMBER}token/"))
    api = client_for(shown.split("data-token>")[1].split("<")[0])
    response = api.post(start_url(world), WHY)
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")
    assert len(begun()) == 1


def test_unknown_impersonations_are_not_ended(staff_client, world: World):
    url = f"/admin/tenants/impersonation/{UUID(int=7)}/do/end/"
    assert staff_client.post(url, {"confirmed": "1", "reason": "x"}).status_code == 404
    assert staff_client.post(f"{AS_MEMBER}end/").status_code == 302
    assert clock.now() is not None
