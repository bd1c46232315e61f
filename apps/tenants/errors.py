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


class ExpiryInThePast(DomainError):
    """An API key must expire in the future, if at all."""

    code = "expiry_in_the_past"
    status = 400
    title = _("The expiry lies in the past")
