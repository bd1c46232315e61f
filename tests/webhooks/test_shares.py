"""How the slots of a process are shared between tenants."""

from uuid import UUID

import pytest

from apps.core.ids import new_id
from apps.webhooks.sending.shares import Shares
from apps.webhooks.types import Claim, Share

pytestmark = pytest.mark.no_database

ACME, GLOBEX = UUID(int=1), UUID(int=2)


def claim_for(tenant_id: UUID, endpoint: int) -> Claim:
    return Claim(
        id=new_id(),
        tenant_id=tenant_id,
        endpoint_id=UUID(int=endpoint),
        entity_id=new_id(),
        url="https://93.184.215.14/",
        api_version="2026-11-22",
        keys=(),
        headers={},
        body=b"{}",
        sequence=1,
        previous_id=None,
        attempt_count=0,
        fence=1,
    )


def test_what_is_on_the_wire_is_held_and_comes_back() -> None:
    shares = Shares(10)
    for tenant_id in (ACME, ACME, GLOBEX):
        shares.begin(tenant_id)
    assert (shares.free, shares.now()) == (7, {ACME: Share(2), GLOBEX: Share(1)})
    shares.end(ACME)
    shares.end(GLOBEX)
    assert (shares.free, shares.now()) == (9, {ACME: Share(1)})


def test_the_turn_of_a_tenant_that_is_full_goes_on_behind_its_last_endpoint() -> None:
    shares = Shares(4)
    claims = [claim_for(ACME, 11), claim_for(ACME, 12)]
    assert shares.move_on(claims, slots=4, shares={}) is False
    assert shares.now() == {ACME: Share(0, UUID(int=12))}
    assert shares.move_on([claim_for(ACME, 13)], slots=4, shares=shares.now()) is True
    assert shares.now() == {}


def test_a_tenant_that_is_not_full_begins_with_its_first_endpoint() -> None:
    shares = Shares(10)
    shares.move_on([claim_for(ACME, 11), claim_for(GLOBEX, 12)], slots=10, shares={})
    assert shares.now() == {}
