"""The one place that decides who may do what, and says why.

Doors (`HasRequiredPermission`) ask before they know what it is about; services ask again, by `require_conditions`,
once they do. Both judge through the same steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.actor import Actor
from apps.core.conditions import Asked, Condition, Resource
from apps.core.errors import ConditionFailed, NotFound, PermissionMissing
from apps.core.objects import Objects
from apps.core.permissions import Permission, held_as
from apps.core.principal import Principal


class StepCode(StrEnum):
    """What a step of a decision looked at."""

    TENANT = "tenant"
    CREDENTIAL = "credential"
    ROLE = "role"
    GRANT = "grant"
    SCOPE = "scope"
    CEILING = "ceiling"
    CONDITION = "condition"
    KEY_MODE = "key_mode"
    READ_ONLY = "read_only"


# By step and how it came out; None: only the resource will tell.
TEXTS: dict[tuple[StepCode, bool | None], Promise] = {
    (StepCode.TENANT, True): _("The tenant is active."),
    (StepCode.TENANT, False): _("The tenant is suspended: all its credentials are refused."),
    (StepCode.CREDENTIAL, True): _("The API key works."),
    (StepCode.CREDENTIAL, False): _("The API key is revoked or has expired."),
    (StepCode.ROLE, True): _("The role %(name)s gives %(permission)s."),
    (StepCode.ROLE, False): _("The role %(name)s does not give %(permission)s."),
    (StepCode.GRANT, True): _("%(permission)s was granted for %(count)s objects, and is limited to these."),
    (StepCode.GRANT, False): _("%(permission)s was granted for %(count)s objects, and this is none of them."),
    (StepCode.GRANT, None): _("%(permission)s was granted for %(count)s objects: it depends on which it is about."),
    (StepCode.SCOPE, True): _("%(permission)s is among the API key's scopes."),
    (StepCode.SCOPE, False): _("%(permission)s is not among the API key's scopes."),
    (StepCode.CEILING, False): _("%(permission)s is out of reach for whoever acts as a member."),
    (StepCode.CONDITION, True): _("The condition holds: %(condition)s."),
    (StepCode.CONDITION, False): _("The condition does not hold: %(condition)s."),
    (StepCode.CONDITION, None): _("It depends on what it is about: %(condition)s."),
    (StepCode.KEY_MODE, True): _("The account's mode is one that the API key reaches."),
    (StepCode.KEY_MODE, False): _("A test key reaches paper accounts only."),
    (StepCode.READ_ONLY, True): _("Writing is switched on."),
    (StepCode.READ_ONLY, False): _("Writing is switched off: %(reason)s"),
}


class Step(NamedTuple):
    """One thing that a decision looked at. `passed` is None where only the resource, not known yet, will tell."""

    code: StepCode
    passed: bool | None
    values: dict[str, Any]
    condition: str = ""

    @property
    def text(self) -> str:
        """What the step found, for people."""
        return str(TEXTS[self.code, self.passed]) % {name: _shown(value) for name, value in self.values.items()}


class Decision(NamedTuple):
    """Whether it is allowed, and every step that led there."""

    allowed: bool
    steps: tuple[Step, ...]

    @property
    def failed(self) -> Step | None:
        """The first step that denies it."""
        return next((step for step in self.steps if step.passed is False), None)

    @property
    def is_limited(self) -> bool:
        """Whether it is allowed upon the objects alone that the permission was granted for."""
        return any(step.code is StepCode.GRANT for step in self.steps)

    @property
    def depends(self) -> bool:
        """Whether nothing denies it, but a condition can only be judged with the resource."""
        return not self.allowed and self.failed is None

    def require(self) -> None:
        """Go on only if nothing denies it; what depends on the resource is judged by whoever knows that.

        Raises:
            ConditionFailed: the permission is there, but one of its conditions does not hold.
            PermissionMissing: anything else denies it.
        """
        step = self.failed
        if step is not None and step.code is StepCode.CONDITION:
            raise ConditionFailed(step.text, condition=step.condition)
        if step is not None:
            raise PermissionMissing(step.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stops all of a tenant or a credential, whatever they may do.

    Authentication and write scopes refuse these by themselves, before and after any decision; here they are told.
    """

    is_suspended: bool = False
    is_credential_dead: bool = False
    read_only: str | None = None  # why


def decide(
    principal: Principal,
    permission: str,
    resource: Resource | None = None,
    *,
    now: datetime,
    standing: Standing | None = None,
) -> Decision:
    """Decide whether a principal may use a permission, upon a resource if one is known.

    A set look-up and the permission's conditions; it reads nothing.
    """
    steps = tuple(_steps(principal, permission, resource, now, standing))
    return Decision(all(step.passed for step in steps), steps)


def require_conditions(actor: Actor, permission: str, resource: Resource, *, now: datetime) -> None:
    """Judge an actor's grants and conditions where the resource is known: what a service asks that its door could not.

    Raises:
        NotFound: they hold the permission for single objects alone, and this belongs to none of them.
        ConditionFailed: see the class.
    """
    require_granted(actor, permission, resource.account_id)
    steps = tuple(_conditions(actor, permission, resource, now))
    Decision(all(step.passed for step in steps), steps).require()


def require_granted(actor: Actor, permission: str, account_id: UUID | None) -> None:
    """Refuse an account that is not among those for which alone an actor holds a permission, as if it did not exist.

    Raises:
        NotFound: it is not; one that is not known is not, either.
    """
    objects = actor.granted.get(permission)
    if objects is not None and account_id not in objects.accounts:
        raise NotFound


def _steps(
    principal: Principal, permission: str, resource: Resource | None, now: datetime, standing: Standing | None
) -> Iterator[Step]:
    actor = principal.actor
    if standing is not None:
        yield Step(StepCode.TENANT, not standing.is_suspended, {})
        if actor.api_key_id is not None:
            yield Step(StepCode.CREDENTIAL, not standing.is_credential_dead, {})
    held = held_as(permission, principal.permissions)
    told = {"name": principal.role or "", "permission": permission}
    objects = None if held else principal.objects_for(permission)
    if objects:
        count = len(objects.accounts) + len(objects.connections)
        covered = None if resource and resource.account_id is None else _covers(objects, resource)
        yield Step(StepCode.GRANT, covered, {"permission": permission, "count": count})
    else:
        yield Step(StepCode.SCOPE if principal.role is None else StepCode.ROLE, held is not None, told)
    if principal.ceiling is not None and permission not in principal.ceiling:
        yield Step(StepCode.CEILING, False, told)
    if held:
        yield from _conditions(actor, held, resource, now)
    if principal.only_paper and resource is not None and resource.is_live is not None:
        yield Step(StepCode.KEY_MODE, not resource.is_live, {})
    if standing is not None and Permission(permission).writes:
        yield Step(StepCode.READ_ONLY, standing.read_only is None, {"reason": standing.read_only})


def _covers(objects: Objects, resource: Resource | None) -> bool:
    return resource is None or resource.account_id in objects.accounts


def _conditions(actor: Actor, permission: str, resource: Resource | None, now: datetime) -> Iterator[Step]:
    conditions: Sequence[Condition] = actor.conditions.get(permission, ())
    for condition in conditions:
        is_open = condition.needs_resource and resource is None
        passed = None if is_open else condition.holds(Asked(actor.user_id or actor.api_key_id, resource, now))
        yield Step(StepCode.CONDITION, passed, {"condition": condition}, condition.name)


def _shown(value: Any) -> str:
    return value.text() if isinstance(value, Condition) else str(value)
