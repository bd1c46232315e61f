"""What the services of this room refuse, and why a reading cannot be used."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class TransactionRemoved(DomainError):
    """The provider no longer shows this transaction; `replaced_by` names the one that took its place, if any."""

    code = "transaction_removed"
    status = 409
    title = _("The transaction was removed")


class NotGrantable(DomainError):
    """This permission cannot be granted for a single object of this type; `GET /permissions` tells which can."""

    code = "not_grantable"
    status = 422
    title = _("Not grantable for single objects")


class AlreadyGranted(DomainError):
    """The member has been granted this permission for this object before."""

    code = "already_granted"
    status = 409
    title = _("Already granted")


class ReadingUnstable(Exception):
    """The provider's data kept changing while it was read, so that no reading was of one moment. Try again later."""
