"""Who may do what, and why: the one decision."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from apps.core.actor import Actor, system_actor
from apps.core.conditions import AmountBelow, Condition, OfficeHours, OwnResource, Resource
from apps.core.decisions import Standing, decide, require_conditions
from apps.core.errors import ConditionFailed, NotFound, PermissionMissing
from apps.core.objects import Objects
from apps.core.permissions import REGISTRY, Permission
from apps.core.principal import Principal

pytestmark = pytest.mark.no_database

ADA, EVE = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
MORNING = OfficeHours(time_zone="UTC", days=("mon",), start="06:00", end="12:00")
ALL_DAY = OfficeHours(time_zone="UTC", days=("mon",), start="00:00", end="24:00")


def member(*permissions: str, **conditions: tuple[Condition, ...]) -> Principal:
    held = {name.replace("__", ":"): given for name, given in conditions.items()}
    actor = Actor(kind="user", label="ada", user_id=ADA, conditions=held)
    return Principal(actor=actor, permissions=frozenset(permissions), role="desk")


def key(*scopes: str, only_paper: bool = False) -> Principal:
    actor = Actor(kind="api_key", label="robot", api_key_id=EVE)
    return Principal(actor=actor, permissions=frozenset(scopes), only_paper=only_paper)


def told(principal: Principal, permission: str, resource: Resource | None = None, **options: object) -> object:
    decision = decide(principal, permission, resource, now=NOON, **options)  # type: ignore[arg-type]
    return decision.allowed, [step.text for step in decision.steps]


def test_every_permission_is_described() -> None:
    assert set(REGISTRY) == set(Permission)
    assert all(str(entry.description).endswith(".") and str(entry.area) for entry in REGISTRY.values())
    assert all("hours" in entry.conditions for entry in REGISTRY.values())


def test_a_role_gives_it_or_not() -> None:
    assert told(member("orders:read"), "orders:read") == (True, ["The role desk gives orders:read."])
    assert told(member("orders:read"), "orders:write") == (False, ["The role desk does not give orders:write."])


def test_a_key_has_it_among_its_scopes_or_not() -> None:
    assert told(key("orders:read"), "orders:read") == (True, ["orders:read is among the API key's scopes."])
    assert told(key(), "orders:read") == (False, ["orders:read is not among the API key's scopes."])


def test_nothing_reaches_beyond_a_ceiling() -> None:
    actor = Actor(kind="user", label="ada", user_id=ADA)
    both = frozenset({"orders:read", "orders:write"})
    acted = Principal(actor=actor, permissions=both, role="owner", ceiling=frozenset({"orders:read"}))
    assert decide(acted, "orders:read", now=NOON).allowed
    refused = decide(acted, "orders:write", now=NOON)
    assert (refused.allowed, refused.failed and refused.failed.code) == (False, "ceiling")


def test_every_condition_must_hold() -> None:
    both = member("orders:read", orders__read=(ALL_DAY, MORNING))
    assert told(both, "orders:read") == (
        False,
        [
            "The role desk gives orders:read.",
            "The condition holds: only on Mon from 00:00 to 24:00 (UTC).",
            "The condition does not hold: only on Mon from 06:00 to 12:00 (UTC).",
        ],
    )


def test_without_the_resource_it_depends_and_that_is_no_yes() -> None:
    own = member("orders:write", orders__write=(OwnResource(),))
    decision = decide(own, "orders:write", now=NOON)
    assert (decision.allowed, decision.depends, decision.failed) == (False, True, None)
    assert decision.steps[-1].text == "It depends on what it is about: only what they placed themselves."
    for made_by, allowed in ((ADA, True), (EVE, False), (None, False)):
        assert decide(own, "orders:write", Resource(type="order", made_by=made_by), now=NOON).allowed is allowed


def test_a_condition_of_another_permission_is_nothing_to_it() -> None:
    assert decide(member("orders:read", orders__write=(MORNING,)), "orders:read", now=NOON).allowed


def test_a_condition_gives_nothing() -> None:
    assert told(member(orders__read=(ALL_DAY,)), "orders:read") == (
        False,
        ["The role desk does not give orders:read."],
    )


def test_a_test_key_reaches_paper_accounts_only() -> None:
    live, paper = Resource(type="account", is_live=True), Resource(type="account", is_live=False)
    assert not decide(key("orders:write", only_paper=True), "orders:write", live, now=NOON).allowed
    assert decide(key("orders:write", only_paper=True), "orders:write", paper, now=NOON).allowed
    assert decide(key("orders:write"), "orders:write", live, now=NOON).allowed


@pytest.mark.parametrize(
    ("standing", "permission", "allowed"),
    [
        (Standing(), "orders:write", True),
        (Standing(is_suspended=True), "orders:read", False),
        (Standing(is_credential_dead=True), "orders:read", False),
        (Standing(read_only="closing the year"), "orders:read", True),
        (Standing(read_only="closing the year"), "orders:write", False),
    ],
)
def test_what_stops_all_of_a_tenant_or_a_key_is_told(standing: Standing, permission: str, allowed: bool) -> None:
    decision = decide(key("orders:read", "orders:write"), permission, now=NOON, standing=standing)
    assert decision.allowed is allowed


def test_a_refusal_says_which_condition_failed() -> None:
    with pytest.raises(PermissionMissing, match="The role desk does not give orders:write"):
        decide(member(), "orders:write", now=NOON).require()
    with pytest.raises(ConditionFailed, match="only on Mon from 06:00 to 12:00") as refused:
        decide(member("orders:read", orders__read=(MORNING,)), "orders:read", now=NOON).require()
    assert refused.value.extra == {"condition": "hours"}


def test_a_service_judges_what_its_door_could_not() -> None:
    actor = member("orders:write", orders__write=(AmountBelow(amount="1000"),)).actor
    require_conditions(actor, "orders:write", Resource(type="order", amount=Decimal("999.99")), now=NOON)
    for amount in (Decimal(1000), None):
        with pytest.raises(ConditionFailed, match="only amounts below 1000"):
            require_conditions(actor, "orders:write", Resource(type="order", amount=amount), now=NOON)


def test_the_platform_itself_is_under_no_condition() -> None:
    require_conditions(system_actor("scheduler"), "orders:write", Resource(type="order"), now=NOON)


def test_conditions_are_stored_nowhere() -> None:
    actor = member("orders:write", orders__write=(OwnResource(),)).actor
    assert actor.as_json() == {"kind": "user", "label": "ada", "user_id": str(ADA)}
    assert "own" not in repr(actor)


class TestGrantsForSingleObjects:
    MINE, OTHER = UUID(int=7), UUID(int=8)
    NIA = Actor(kind="user", label="nia", granted={"orders:write": Objects(accounts=frozenset([MINE]))})

    @pytest.mark.parametrize(
        ("resource", "allowed", "text"),
        [
            (None, True, "orders:write was granted for 1 objects, and is limited to these."),
            (
                Resource(type="order", account_id=MINE),
                True,
                "orders:write was granted for 1 objects, and is limited to these.",
            ),
            (
                Resource(type="order", account_id=OTHER),
                False,
                "orders:write was granted for 1 objects, and this is none of them.",
            ),
            (Resource(type="order"), False, "orders:write was granted for 1 objects: it depends on which it is about."),
        ],
    )
    def test_what_a_decision_says_of_them(self, resource: Resource | None, allowed: bool, text: str) -> None:
        nia = Principal(actor=self.NIA, permissions=frozenset(), role="guest")
        assert told(nia, "orders:write", resource) == (allowed, [text])

    def test_a_service_finds_nothing_else(self) -> None:
        require_conditions(self.NIA, "orders:write", Resource(type="order", account_id=self.MINE), now=NOON)
        for account_id in (self.OTHER, None):
            with pytest.raises(NotFound):
                require_conditions(self.NIA, "orders:write", Resource(type="order", account_id=account_id), now=NOON)
