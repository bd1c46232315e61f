"""Staff who see a tenant as one of its members does: how that begins and ends, and what was looked at.

All of it goes on while writing is switched off: none of it changes what the switch protects, and what was looked at
must be told. Nobody else than staff begins one, and nobody who looks as a member.
"""

from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.types import Personal
from apps.core.actor import Actor, system_actor
from apps.core.canonical import jsonable
from apps.core.db.finding import get_one
from apps.core.db.violations import translate_violations
from apps.core.errors import ValidationFailed
from apps.core.objects import beside
from apps.core.scope import request_wake, staff_scope, system_scope, tenant_scope, write_scope
from apps.core.tokens import TokenKind, hash_token, new_token
from apps.tenants import events, selectors
from apps.tenants.enums import Ending, TenantStatus
from apps.tenants.errors import AlreadyImpersonating, CannotBeImpersonated, ImpersonationOver, StaffOnly
from apps.tenants.explaining import grants_of
from apps.tenants.models import IMPERSONATION_LASTS, Impersonation, Membership, Tenant
from apps.tenants.services.telling import tell
from apps.tenants.types import Principal
from apps.users.models import User
from apps.users.selectors import factors_of

_RECORD = "SELECT tenants_record_look(%s)"
_LEAF = (
    "action",
    "actor",
    "target_type",
    "target_id",
    "changes",
    "personal",
    "request_id",
    "traceparent",
    "schema_version",
)


def start_impersonation(*, member_id: UUID, reason: str, ticket: str, actor: Actor, now: datetime) -> Impersonation:
    """Let a staff user see the actor's tenant as a member for a quarter of an hour.

    Raises:
        StaffOnly: the actor is no staff user, or one who looks as somebody else.
        ValidationFailed: reason or ticket is missing or too long.
        NotFound: the tenant has no such member.
        AlreadyImpersonating, CannotBeImpersonated: see the classes.
    """
    if actor.kind != "staff" or actor.user_id is None or actor.impersonator_id is not None:
        raise StaffOnly
    assert actor.tenant_id is not None
    begun = Impersonation(tenant_id=actor.tenant_id, staff_id=actor.user_id, started_at=now)
    begun.reason, begun.ticket = reason.strip(), ticket.strip()
    begun.staff_name, begun.expires_at = actor.label, now + IMPERSONATION_LASTS
    begun.require_valid_fields(exclude=["staff", "user", "staff_name", "member_name", "ending"])
    with transaction.atomic():
        _settle_former(actor.user_id, now)
        with write_scope(actor, even_if_read_only=True):
            member = selectors.get_member(member_id)
            _require_same_sight(member)
        _require_fit(member)
        begun.user_id, begun.member_name = member.user_id, member.name
        with write_scope(actor, even_if_read_only=True):
            with translate_violations({"tenants_impersonation_one_open_per_staff": AlreadyImpersonating()}):
                begun.save(force_insert=True)
            names = ("user_id", "reason", "ticket", "expires_at")
            changes = {name: [None, jsonable(getattr(begun, name))] for name in names}
            named = Personal(begun.user_id, {"member_name": [None, begun.member_name]})
            tell(events.impersonation_event(events.IMPERSONATION_STARTED, begun), changes, actor, now, named)
    return begun


def _settle_former(staff_id: UUID, now: datetime) -> None:
    """End what is over of the staff user's, and refuse if anything is not; of two starts at once the other waits."""
    with staff_scope():
        staff = User.objects.select_for_update(no_key=True).get(pk=staff_id)
        if not (staff.is_active and staff.is_staff):
            raise StaffOnly
        former = list(Impersonation.objects.filter(staff_id=staff_id, ended_at=None))
    for impersonation in former:
        if impersonation.is_live_at(now):
            raise AlreadyImpersonating
        _end(impersonation.pk, Ending.EXPIRED, actor=system_actor("clock", tenant_id=impersonation.tenant_id), now=now)


def _require_fit(member: Membership) -> None:
    with staff_scope():
        user = User.objects.get(pk=member.user_id)
        tenant = Tenant.objects.get(pk=member.tenant_id)
        has_factor = bool(factors_of(user.pk))
    if user.is_staff or not user.is_active or tenant.status != TenantStatus.ACTIVE:
        raise CannotBeImpersonated
    if tenant.require_mfa and not has_factor:
        raise CannotBeImpersonated(
            _("They see nothing themselves: their tenant wants a second factor that they do not have yet.")
        )


def _require_same_sight(member: Membership) -> None:
    """Refuse a member whose grants show single objects: the role that staff look in shows a table or does not."""
    if beside(selectors.get_remit(member.role).permissions, grants_of(member.pk)):
        raise CannotBeImpersonated(
            _(
                "They were granted single accounts or connections, which staff cannot see as they do. Look at these in "
                "the admin; the member's page lists them."
            )
        )


def issue_impersonation_token(*, impersonation_id: UUID, actor: Actor, now: datetime) -> str:
    """Return a bearer token for what is left of the time, in the place of an earlier one; it is stored as a hash.

    Raises:
        NotFound: the staff user has begun no such impersonation of the actor's tenant.
        ImpersonationOver: see the class.
    """
    with write_scope(actor, even_if_read_only=True):
        found = get_one(Impersonation.objects.select_for_update().filter(id=impersonation_id, staff_id=actor.user_id))
        if not found.is_live_at(now):
            raise ImpersonationOver
        token = new_token(TokenKind.IMPERSONATION)
        found.token_hash = hash_token(token)
        found.save(update_fields=["token_hash"])
        audit.record(
            action="impersonation.token_issued", actor=actor, target_type="impersonation", target_id=found.pk, now=now
        )
    return token


def end_impersonation(*, impersonation_id: UUID, reason: str = "", actor: Actor, now: datetime) -> bool:
    """End an impersonation of the actor's tenant at once; return False when it had ended before.

    Raises:
        NotFound: the tenant has no such impersonation.
        ValidationFailed: it is somebody else's, and no reason is given.
    """
    with write_scope(actor, even_if_read_only=True):
        found = get_one(Impersonation.objects.filter(id=impersonation_id))
        is_own = found.staff_id == actor.user_id
        if not is_own and not reason.strip():
            raise ValidationFailed(errors=[{"field": "reason", "code": "required", "message": "reason"}])
        return _end(found.pk, Ending.ENDED if is_own else Ending.STOPPED, reason=reason.strip(), actor=actor, now=now)


def end_impersonations_of_staff(*, staff_id: UUID, actor: Actor, now: datetime) -> int:
    """End what a staff user has begun, when they sign out; return how many ended."""
    with staff_scope():
        found = list(Impersonation.objects.filter(staff_id=staff_id, ended_at=None))
    return sum(_end(row.pk, Ending.SIGNED_OUT, actor=actor.for_tenant(row.tenant_id), now=now) for row in found)


def end_all_impersonations(*, reason: str, actor: Actor, now: datetime) -> int:
    """End all of all tenants, in an incident; return how many ended."""
    with staff_scope():
        found = list(Impersonation.objects.filter(ended_at=None).order_by("id"))
    stop = Ending.STOPPED
    return sum(_end(row.pk, stop, reason=reason, actor=actor.for_tenant(row.tenant_id), now=now) for row in found)


def end_impersonations(
    *, ending: Ending, user_id: UUID | None = None, reason: str = "", actor: Actor, now: datetime
) -> int:
    """End all of the actor's tenant, or those as one member; call it in the tenant's write scope."""
    found = Impersonation.objects.filter(ended_at=None)
    found = found.filter(user_id=user_id) if user_id else found
    return sum(_end(key, ending, reason=reason, actor=actor, now=now) for key in list(_keys(found)))


def settle_impersonations(*, now: datetime) -> int:
    """End, in the log too, what nobody can look through any more; the worker does it every few seconds."""
    with system_scope():
        found = list(Impersonation.objects.filter(ended_at=None).order_by("id"))
    ended = 0
    for row in found:
        ending = _ending_of(row, now)
        if ending is not None:
            ended += _end(row.pk, ending, actor=system_actor("clock", tenant_id=row.tenant_id), now=now)
    return ended


def _ending_of(row: Impersonation, now: datetime) -> Ending | None:
    if not row.is_live_at(now):
        return Ending.EXPIRED
    staff = User.objects.get(pk=row.staff_id)
    if not may_impersonate(staff, row.tenant_id):
        return Ending.STAFF_LEFT
    live = selectors.find_impersonation(staff_id=row.staff_id, ip="", request_id="", now=now)
    if live:
        return None
    with tenant_scope(row.tenant_id):
        is_active = Tenant.objects.filter(status=TenantStatus.ACTIVE).exists()
    return Ending.MEMBER_LEFT if is_active else Ending.TENANT_SUSPENDED


def may_impersonate(staff: User, tenant_id: UUID) -> bool:
    """Tell whether a user is staff who may look as members of a tenant, all of them or this one being theirs."""
    if not (staff.is_active and staff.is_staff and staff.has_perm("tenants.impersonate_membership")):
        return False
    operate = "tenants.operate_tenant"
    return staff.has_perm(operate) or staff.has_perm(operate, Tenant(pk=tenant_id))


def record_look(*, principal: Principal, request: str, status: int, now: datetime) -> None:
    """Write into the tenant's log that staff have made a request as a member, and how it was answered.

    It happens through one function of the database, which takes no other leaf: the role cannot write.
    """
    assert principal.impersonation is not None
    assert principal.actor.tenant_id is not None
    with tenant_scope(principal.actor.tenant_id), connection.cursor() as cursor:
        leaf = audit.new_entry(
            action="impersonation.looked",
            actor=principal.actor,
            target_type="impersonation",
            target_id=principal.impersonation.id,
            now=now,
            changes={"request": [None, request], "status": [None, status]},
        )
        row = {name: getattr(leaf, name) for name in _LEAF}
        row |= {name: str(getattr(leaf, name)) for name in ("id", "tenant_id", "actor_id")}
        row |= {"at": leaf.at.isoformat(), "leaf_hash": f"\\x{leaf.leaf_hash.hex()}"}
        cursor.execute(_RECORD, [msgspec.json.encode(row).decode()])
        request_wake("audit")


def _end(key: UUID, ending: Ending, *, reason: str = "", actor: Actor, now: datetime) -> bool:
    with write_scope(actor, even_if_read_only=True):
        row = Impersonation.objects.select_for_update().get(pk=key)
        if row.ended_at is not None:
            return False
        row.ended_at = min(now, row.expires_at)
        row.ending, row.ended_by, row.end_reason = ending, actor.label[:150], reason
        row.save(update_fields=["ended_at", "ending", "ended_by", "end_reason"])
        changes: dict[str, list[object]] = {"ending": [None, str(ending)], "looks": [0, row.looks]}
        changes |= {"reason": [None, reason]} if reason else {}
        tell(events.impersonation_event(events.IMPERSONATION_ENDED, row), changes, actor, now)
    return True


def _keys(rows: QuerySet[Impersonation]) -> list[UUID]:
    return list(rows.order_by("id").values_list("pk", flat=True))
