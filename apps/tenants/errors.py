"""What the tenants room refuses, in the words of its problem pages."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class TenantRequired(DomainError):
    """You are a member of several tenants: name one, by slug or id, as `tenant`."""

    code = "tenant_required"
    status = 400
    title = _("Name a tenant")


class NotAMember(DomainError):
    """The sign-in is right, but you are no member of that tenant, or it does not exist."""

    code = "not_a_member"
    status = 403
    title = _("Not a member")


class TenantSuspended(DomainError):
    """The tenant is suspended: its credentials are refused until staff reactivate it."""

    code = "tenant_suspended"
    status = 403
    title = _("The tenant is suspended")


class AddressNotAllowed(DomainError):
    """The API key is valid, but its list of allowed networks does not contain the address of this request."""

    code = "address_not_allowed"
    status = 403
    title = _("The address is not allowed")


class StaffOnly(DomainError):
    """Only the platform's staff may do this."""

    code = "staff_only"
    status = 403
    title = _("Only staff may do this")


class SlugTaken(DomainError):
    """Another tenant has this slug."""

    code = "slug_taken"
    status = 409
    title = _("The slug is taken")


class AlreadyAMember(DomainError):
    """The user is a member of this tenant already."""

    code = "already_a_member"
    status = 409
    title = _("Already a member")


class AlreadyInvited(DomainError):
    """The address has an invitation that is neither accepted nor revoked: send that one again."""

    code = "already_invited"
    status = 409
    title = _("Already invited")


class InvitationClosed(DomainError):
    """The invitation was accepted or revoked: invite anew, or remove the member."""

    code = "invitation_closed"
    status = 409
    title = _("The invitation is closed")


class InvalidInvitation(DomainError):
    """The invitation's token is unknown, has expired, was revoked or used; which of them is not said.

    Ask whoever invited you to send it again.
    """

    code = "invalid_invitation"
    status = 400
    title = _("The invitation is not valid")


class UnknownColleague(DomainError):
    """You handle no other tenant that has a member of this user name: invite the person by e-mail.

    Whether anybody has the name is not said.
    """

    code = "unknown_colleague"
    status = 400
    title = _("Nobody whom you can add by name")


class OwnRole(DomainError):
    """Nobody changes their own role: somebody else who handles members does."""

    code = "own_role"
    status = 403
    title = _("Your own role")


class OwnersOnly(DomainError):
    """Only an owner, signed in as a user, makes, demotes or removes an owner."""

    code = "owners_only"
    status = 403
    title = _("Only owners decide on owners")


class RoleExceedsGranter(DomainError):
    """Nobody grants a role that can do what they cannot."""

    code = "role_exceeds_granter"
    status = 403
    title = _("The role can do more than you")


class UnknownPermission(DomainError):
    """A role names a permission that does not exist; `errors` names it. `GET /permissions` lists all."""

    code = "unknown_permission"
    status = 400
    title = _("Unknown permission")


class RoleNameTaken(DomainError):
    """The tenant has another role with this slug, or it is a built-in role's, which nobody redefines."""

    code = "role_name_taken"
    status = 409
    title = _("The role's slug is taken")


class RoleInUse(DomainError):
    """Members or open invitations have the role: give them another one, or revoke the invitations, first."""

    code = "role_in_use"
    status = 409
    title = _("The role is in use")


class LastOwner(DomainError):
    """A tenant keeps at least one owner: make somebody else an owner first."""

    code = "last_owner"
    status = 409
    title = _("The last owner")


class UnknownScope(DomainError):
    """A scope is not the name of a permission; `errors` names it."""

    code = "unknown_scope"
    status = 400
    title = _("Unknown scope")


class ApiKeyExceedsCreator(DomainError):
    """An API key can do no more than who creates it.

    Its scopes must be among the creator's permissions. A key that creates another one also passes on its limits:
    a test key creates test keys only, and the new key expires no later and is allowed from no other networks.
    """

    code = "api_key_exceeds_creator"
    status = 403
    title = _("The key would exceed its creator")


class InvalidNetwork(DomainError):
    """An allowed network is not an IP network in CIDR notation, such as `203.0.113.0/24`; `errors` names it."""

    code = "invalid_network"
    status = 400
    title = _("Not a network")


class LimitReached(DomainError):
    """The tenant has as many as its plan allows; `detail` says of what. `GET /usage` shows all limits."""

    code = "limit_reached"
    status = 409
    title = _("The plan's limit is reached")


class ApiKeyReplaced(DomainError):
    """The API key was rolled before: roll the key that replaces it (`replaced_by`)."""

    code = "api_key_replaced"
    status = 409
    title = _("The API key has a successor")


class ApiKeyNotActive(DomainError):
    """The API key is revoked or has expired: create a new one."""

    code = "api_key_not_active"
    status = 409
    title = _("The API key does not work any more")


class ExpiryInThePast(DomainError):
    """An API key must expire in the future, if at all."""

    code = "expiry_in_the_past"
    status = 400
    title = _("The expiry lies in the past")


class CannotBeImpersonated(DomainError):
    """Staff look only as members who could sign in themselves and see something: active ones, of an active tenant, who
    are no staff, have the second factor that the tenant wants, and were granted no single accounts or connections.
    """

    code = "cannot_be_impersonated"
    status = 409
    title = _("Nobody can look as this member")


class AlreadyImpersonating(DomainError):
    """A staff user looks as one member at a time: end the one that is active first."""

    code = "already_impersonating"
    status = 409
    title = _("Another impersonation is active")


class ImpersonationOver(DomainError):
    """The impersonation was ended, or its time is over."""

    code = "impersonation_over"
    status = 409
    title = _("The impersonation is over")
