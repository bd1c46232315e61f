"""What the services of this room refuse. What the risk gate refuses is no error but a denied order."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class LiveAccountRefused(DomainError):
    """A test key reaches paper accounts only. Use a live key for an account that moves real money."""

    code = "live_account_refused"
    status = 403
    title = _("A test key cannot trade a live account")


class ClientOrderIdTaken(DomainError):
    """Another order of the tenant has this `client_order_id`; the venue knows each order by its own, for ever."""

    code = "client_order_id_taken"
    status = 409
    title = _("The client order id is taken")


class OrderClosed(DomainError):
    """The order has come to its end: it was filled, canceled, refused or has expired. Nothing can change it."""

    code = "order_closed"
    status = 409
    title = _("The order is closed")


class OrderChangePending(DomainError):
    """A cancel or a replacement of this order was asked for and the venue has not confirmed it yet."""

    code = "order_change_pending"
    status = 409
    title = _("A change of the order is pending")


class OrderNotAtVenue(DomainError):
    """The venue has not confirmed the order yet, so it cannot be replaced. Wait for it, or cancel it."""

    code = "order_not_at_venue"
    status = 409
    title = _("The order is not at the venue yet")


class OrderOutcomeKnown(DomainError):
    """Only an order whose outcome is not known can be declared lost."""

    code = "order_outcome_known"
    status = 409
    title = _("The order's outcome is known")


class OrderStillSought(DomainError):
    """The venue has to be asked five times, and not know the order, before a person may declare it lost."""

    code = "order_still_sought"
    status = 409
    title = _("The venue is still being asked for the order")


class AccountNotTradable(DomainError):
    """Orders need an open brokerage account whose connection is active."""

    code = "account_not_tradable"
    status = 409
    title = _("The account cannot trade")
