"""Reads of the tenants room. Those on principals come before a tenant is known, through definer functions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.conditions import decode_conditions, read_conditions
from apps.core.db.finding import get_one
from apps.core.errors import AuthenticationRequired, DomainError, ValidationFailed
from apps.core.models import ReadOnlySwitch
from apps.core.objects import Objects, beside
from apps.core.permissions import Permission
from apps.core.scope import current_tenant_id
from apps.core.tokens import hash_token
from apps.tenants.enums import ApiKeyMode, Role, TenantStatus
from apps.tenants.errors import AddressNotAllowed, TenantSuspended
from apps.tenants.impersonation import CEILING
from apps.tenants.models import ApiKey, Invitation, Membership, Tenant, TenantRole
from apps.tenants.roles import Remit, built_in, own_remit, roles_with
from apps.tenants.secrets import is_well_formed
from apps.tenants.types import Impersonator, Invited, MembershipChoice, Principal, TenantIdentity
from apps.users.tokens import read_access_token

_Grant = tuple[str, UUID | None, UUID | None, list[UUID] | None]
_API_KEY = "SELECT * FROM tenants_api_key_principal(%s, %s::inet, %s)"
_SESSION = "SELECT * FROM tenants_session_principal(%s, %s)"
_COLLEAGUE = "SELECT * FROM tenants_colleague(%s, %s, %s)"
_IMPERSONATION = "SELECT * FROM tenants_impersonation_principal(%s, %s, %s)"
_INVITATION = "SELECT * FROM tenants_open_invitation(%s, %s)"
_INVITATION_TENANT = "SELECT * FROM tenants_invitation_tenant(%s)"
_MEMBERSHIPS = "SELECT * FROM tenants_user_memberships(%s)"


def get_tenant() -> Tenant:
    """Return the tenant of the open scope; its `is_read_only` tells whether writing is switched off."""
    switches = ReadOnlySwitch.objects.filter(Q(tenant_id=current_tenant_id()) | Q(tenant_id__isnull=True))
    return Tenant.objects.annotate(is_read_only=Exists(switches)).get(id=current_tenant_id())


def api_keys() -> QuerySet[ApiKey]:
    """Return the API keys of the open scope's tenant, revoked ones too."""
    return ApiKey.objects.filter(tenant_id=current_tenant_id())


def get_api_key(api_key_id: UUID) -> ApiKey:
    """Return an API key of the open scope's tenant.

    Raises:
        NotFound: it has none of this id.
    """
    return get_one(api_keys().filter(id=api_key_id))


def members() -> QuerySet[Membership]:
    """Return the members of the open scope's tenant."""
    return Membership.objects.filter(tenant_id=current_tenant_id())


def get_member(member_id: UUID) -> Membership:
    """Return a member of the open scope's tenant.

    Raises:
        NotFound: it has none of this id.
    """
    return get_one(members().filter(id=member_id))


def tenant_roles() -> QuerySet[TenantRole]:
    """Return the roles that the open scope's tenant has defined, with `member_count` of each."""
    count = (
        Membership.objects.filter(tenant_role=OuterRef("id")).order_by().values("tenant_role").annotate(n=Count("*"))
    )
    return TenantRole.objects.filter(tenant_id=current_tenant_id()).annotate(
        member_count=Coalesce(Subquery(count.values("n")), 0)
    )


def get_tenant_role(role_id: UUID) -> TenantRole:
    """Return a role that the open scope's tenant has defined.

    Raises:
        NotFound: it has none of this id.
    """
    return get_one(tenant_roles().filter(id=role_id))


def get_remit(name: str) -> Remit:
    """Return what a role of the open scope's tenant gives: a built-in one, or its own of this slug.

    Raises:
        ValidationFailed: there is no such role.
    """
    if name in Role.values:
        return built_in(name)
    own = TenantRole.objects.filter(tenant_id=current_tenant_id(), slug=name).first()
    if own is None:
        message = _("Neither a built-in role nor one of your own: GET /roles lists these.")
        raise ValidationFailed(errors=[{"field": "role", "code": "invalid_choice", "message": message}])
    return remit_of_own(own)


def remit_of_own(role: TenantRole) -> Remit:
    """Return what a role of a tenant's own gives."""
    return own_remit(role.slug, role.permissions, read_conditions(role.conditions), role.id)


def invitations() -> QuerySet[Invitation]:
    """Return the invitations of the open scope's tenant, without their tokens."""
    return Invitation.objects.filter(tenant_id=current_tenant_id()).defer("token_hash", "sealed_token")


def get_invitation(invitation_id: UUID) -> Invitation:
    """Return an invitation of the open scope's tenant.

    Raises:
        NotFound: it has none of this id.
    """
    return get_one(invitations().filter(id=invitation_id))


def find_invitation(token: str, *, now: datetime) -> Invited | None:
    """Return which invitation a token is good for; None whatever is wrong with it."""
    rows = _rows(_INVITATION, [hash_token(token), now])
    if not rows:
        return None
    invitation_id, email, tenant_id, slug, name, status = rows[0]
    return Invited(invitation_id, email, TenantIdentity(tenant_id, slug, name), status == TenantStatus.SUSPENDED)


def find_tenant_of_invitation(token: str) -> UUID | None:
    """Return whose invitation a token is of, or was; None where there is none of it."""
    rows = _rows(_INVITATION_TENANT, [hash_token(token)])
    return rows[0][0] if rows else None


def find_colleague(*, asker_id: UUID | None, username: str) -> tuple[UUID, str, str] | None:
    """Return (user id, name, e-mail address) of the user of this name, if the asker handles members of a tenant that
    the user belongs to."""
    roles = [str(role) for role in roles_with(Permission.MEMBERS_WRITE)]
    rows = _rows(_COLLEAGUE, [asker_id, username, roles])
    return (rows[0][0], rows[0][1], rows[0][2]) if rows else None


def memberships_of(user_id: UUID) -> list[MembershipChoice]:
    """Return the tenants that a user belongs to, by slug."""
    return [
        MembershipChoice(tenant_id, slug, status == TenantStatus.SUSPENDED, role)
        for tenant_id, slug, status, role in _rows(_MEMBERSHIPS, [user_id])
    ]


def get_api_key_principal(secret: str, *, ip: str, request_id: str, now: datetime) -> Principal:
    """Return whom an API key stands for, in one query; a mistyped key costs none.

    Raises:
        AuthenticationRequired: the key is unknown, expired or revoked.
        AddressNotAllowed, TenantSuspended: see the classes.
    """
    if not is_well_formed(secret):
        raise AuthenticationRequired(_("The API key is mistyped or incomplete."))
    rows = _rows(_API_KEY, [hash_token(secret), ip or None, now])
    if not rows:
        raise AuthenticationRequired(_("The API key is not known."))
    refusal, tenant_id, slug, tenant_name, api_key_id, label, mode, scopes, tenant_rate, key_rate = rows[0]
    if refusal:
        raise _refusal(refusal)
    actor = Actor(kind="api_key", label=label, tenant_id=tenant_id, api_key_id=api_key_id, request_id=request_id, ip=ip)
    tenant = TenantIdentity(tenant_id, slug, tenant_name)
    rates = _rates(tenant=tenant_rate, key=key_rate)
    return Principal(
        actor=actor,
        permissions=frozenset(scopes),
        only_paper=mode == ApiKeyMode.TEST,
        rates=rates,
        tenant=tenant,
        mode=ApiKeyMode(mode),
    )


def get_token_principal(token: str, *, ip: str, request_id: str, now: datetime) -> Principal:
    """Return whom an access token stands for, in one query, while its session is alive.

    Raises:
        AuthenticationRequired: the token is not valid, or its session, user or membership has ended.
        TenantSuspended: see the class.
    """
    claims = read_access_token(token, now=now)
    rows = _rows(_SESSION, [claims.session_id, now])
    if not rows:
        raise AuthenticationRequired(_("The session has ended."))
    refusal, tenant_id, slug, tenant_name, user_id, label, role, tenant_rate, *more = rows[0]
    permissions, conditions, proved_at, must_enrol, granted = more
    if refusal:
        raise _refusal(refusal)
    remit = _remit(role, permissions, conditions)
    actor = Actor(
        kind="user",
        label=label,
        tenant_id=tenant_id,
        user_id=user_id,
        request_id=request_id,
        ip=ip,
        conditions=remit.conditions,
        granted=beside(remit.permissions, _granted(granted)) if granted and not must_enrol else {},
    )
    return Principal(
        actor=actor,
        # Views refuse whoever has to enrol; should one forget to, there is nothing that they may.
        permissions=frozenset() if must_enrol else remit.permissions,
        proved_at=proved_at,
        must_enrol=must_enrol,
        rates=_rates(tenant=tenant_rate),
        tenant=TenantIdentity(tenant_id, slug, tenant_name),
        role=remit.name,
        session_id=claims.session_id,
    )


def _granted(stored: str) -> dict[str, Objects]:
    """Return what was granted for single objects, by permission; a connection brings its accounts along."""
    found: dict[str, Objects] = {}
    for permission, account_id, connection_id, its_accounts in msgspec.json.decode(stored, type=list[_Grant]):
        accounts = frozenset([account_id] if account_id else its_accounts or ())
        objects = Objects(accounts, frozenset([connection_id] if connection_id else ()))
        found[permission] = found.get(permission, Objects()) | objects
    return found


def find_impersonation(
    *, token: str | None = None, staff_id: UUID | None = None, ip: str, request_id: str, now: datetime
) -> Principal | None:
    """Return whom a token, or a staff user, sees a tenant as at this time; one query."""
    rows = _rows(_IMPERSONATION, [hash_token(token) if token else None, staff_id, now])
    if not rows:
        return None
    impersonation_id, tenant_id, slug, tenant_name, tenant_rate, user_id, member, *held, staff, name = rows[0][:-2]
    remit = _remit(*held)
    actor = Actor(
        kind="user",
        label=_("%(staff)s as a member") % {"staff": name},
        tenant_id=tenant_id,
        user_id=user_id,
        impersonator_id=staff,
        request_id=request_id,
        ip=ip,
        conditions=remit.conditions,
    )
    return Principal(
        actor=actor,
        permissions=remit.permissions,
        ceiling=CEILING,
        rates=_rates(tenant=tenant_rate),
        tenant=TenantIdentity(tenant_id, slug, tenant_name),
        role=remit.name,
        impersonation=Impersonator(impersonation_id, staff, name, member, *rows[0][-2:]),
    )


def _remit(role: str, permissions: list[str] | None, conditions: str | None) -> Remit:
    """Return what a role gives; `permissions` and `conditions` are those of the tenant's own role, or None."""
    if permissions is None:
        return built_in(role)
    return own_remit(role, permissions, decode_conditions(conditions or "{}"))


def _rates(**rates: Sequence[int] | None) -> dict[str, Sequence[int]]:
    return {name: rate for name, rate in rates.items() if rate}


def _refusal(reason: str) -> DomainError:
    return {
        "revoked": AuthenticationRequired(_("The API key is revoked.")),
        "expired": AuthenticationRequired(_("The API key has expired.")),
        "address": AddressNotAllowed(),
        "suspended": TenantSuspended(),
    }[reason]


def _rows(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
