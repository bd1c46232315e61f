"""What the webhooks room refuses."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class UnknownEventType(DomainError):
    """An event type of a subscription is not in the catalogue, see `GET /webhooks/event-types`; `errors` names it.

    Beside the types themselves, `*` stands for all of them and `order.*` for all that are about orders.
    """

    code = "unknown_event_type"
    status = 400
    title = _("Unknown event type")


class UnknownApiVersion(DomainError):
    """The API has no version of this date; `errors` names those that it has.

    An endpoint is sent payloads as they were in its version. Leave `api_version` out for the newest.
    """

    code = "unknown_api_version"
    status = 400
    title = _("Unknown API version")


class UrlRefused(DomainError):
    """The platform does not send to this URL; `errors` says why.

    It must begin with https://, name a public host, carry no user name, and lead to port 443 or one above 1023.
    """

    code = "url_refused"
    status = 400
    title = _("The URL is refused")


class HeaderRefused(DomainError):
    """A custom header cannot be sent; `errors` says which, and why.

    Names are tokens of up to 64 characters, values printable ASCII of up to 1,024; 20 headers are the most. What
    carries the request itself (`Host`, `Content-*`, `Connection` and its kin), tells whom it comes from
    (`Forwarded`, `X-Forwarded-*`), or begins with `webhook-` or `finops-` is the platform's own.
    """

    code = "header_refused"
    status = 400
    title = _("The header is refused")


class EndpointDisabled(DomainError):
    """Nothing is sent to a disabled endpoint: enable it first."""

    code = "endpoint_disabled"
    status = 409
    title = _("The endpoint is disabled")
