"""Staff see why a member or an API key may do something, and what the roles of tenants give."""

import re
from html import unescape
from typing import Any

from apps.core.scope import staff_scope
from apps.tenants.models import Membership
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.tenants import make_member, make_role

HOURS = {"type": "hours", "time_zone": "Europe/Berlin", "days": ["mon"], "from": "09:00", "to": "09:01"}


def page(client: Any, kind: str, key: object, **values: str) -> str:
    response = client.post(f"/admin/tenants/{kind}/{key}/do/explain/", values)
    assert response.status_code == 200
    return unescape(response.content.decode())


def verdict(text: str) -> str:
    found = re.search(r"fo-verdict.*?<h2>(.*?)</h2>", text, re.DOTALL)
    return found[1] if found else ""


def steps(text: str) -> list[str]:
    """Return what each step says and how it came out."""
    (listed,) = re.findall(r"<ol>\s*(<li class=\"fo-.*?)</ol>", text, re.DOTALL)[:1]
    found = re.findall(r'</span><span>(.*?)<span class="fo-hidden"> (.*?)</span>', listed, re.DOTALL)
    return [f"{said} [{came_out}]" for said, came_out in found]


def junior(world: World) -> Membership:
    conditions = {"orders:write": [{"type": "amount_below", "amount": "5000"}]}
    make_role(world.acme.tenant, "junior", ["orders:read", "orders:write"], conditions=conditions)
    make_member(world.acme.tenant, "june", "junior")
    with staff_scope():
        return Membership.objects.get(name="June")


def test_a_member_is_explained_with_every_step(viewing_client, world: World):
    member = junior(world)
    text = page(viewing_client, "membership", member.pk)
    assert (verdict(text), steps(text)) == (
        "It depends",
        [
            "The tenant is active. [Allowed]",
            "The role junior gives orders:write. [Allowed]",
            "It depends on what it is about: only amounts below 5000 in the account's currency. [It depends]",
            "Writing is switched on. [Allowed]",
        ],
    )
    asked = {"who": f"member:{member.pk}", "permission": "orders:write"}
    for amount, came_out in (("4999.99", "Allowed"), ("5000", "Denied")):
        assert verdict(page(viewing_client, "membership", member.pk, **asked, amount=amount)) == came_out
    other = page(viewing_client, "membership", member.pk, who=asked["who"], permission="risk:write")
    assert (verdict(other), steps(other)[1]) == ("Denied", "The role junior does not give risk:write. [Denied]")


def test_a_tenants_page_asks_about_its_first_member_and_a_keys_about_the_key(viewing_client, world: World):
    assert verdict(page(viewing_client, "tenant", world.acme.tenant.pk)) == "Allowed"
    text = page(viewing_client, "apikey", world.acme.api_key.pk)
    assert "orders:write is among the API key's scopes. [Allowed]" in steps(text)
    assert world.acme.secret not in text


def test_nobody_of_another_tenant_and_no_order_of_theirs_can_be_asked_about(viewing_client, world: World):
    member = junior(world)
    theirs = f"key:{world.globex.api_key.pk}"
    refused = page(viewing_client, "membership", member.pk, who=theirs, permission="orders:write")
    assert verdict(refused) == ""
    assert "is not one of the available choices" in refused
    order = str(world.globex.trade.working.pk)
    asked = {"who": f"member:{member.pk}", "permission": "orders:write", "order": order}
    text = page(viewing_client, "membership", member.pk, **asked)
    assert (verdict(text), "This tenant has no order of this id." in text) == ("", True)


def test_a_roles_page_says_what_it_gives_and_who_has_it(staff_client, world: World):
    conditions = {"audit:read": [HOURS]}
    role = make_role(world.acme.tenant, "auditor", ["audit:read", "orders:read"], conditions=conditions)
    make_member(world.acme.tenant, "aude", "auditor")
    text = get(staff_client, f"/admin/tenants/tenantrole/{role.pk}/change/")
    assert "only on Mon from 09:00 to 09:01 (Europe/Berlin)" in text
    assert "See orders, fills and positions." in text
    assert "Aude" in text
    assert "aude@example.com" in text
