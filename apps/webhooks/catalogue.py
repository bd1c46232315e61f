"""The event types that a client can subscribe to, and what a subscription matches."""

from collections.abc import Iterable, Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accounts import events as accounts
from apps.incidents import events as incidents
from apps.orders import events as orders
from apps.providers import events as providers
from apps.tenants import events as tenants
from apps.webhooks import events as webhooks

ALL = "*"

# Everything that the outbox relays, by noun; each description says when it happens.
EVENT_TYPES: Mapping[str, Promise] = {
    orders.ORDER_DENIED: _("The risk gate has refused an order."),
    orders.ORDER_APPROVED: _("The risk gate has let an order through; it has not been sent yet."),
    orders.ORDER_SUBMITTED: _("An order is being sent to the venue."),
    orders.ORDER_SUBMISSION_DEFERRED: _("An order provably did not reach the venue; it is sent again."),
    orders.ORDER_OUTCOME_UNKNOWN: _("The venue did not say what became of an order; it is being looked up."),
    orders.ORDER_LOST: _("A person has declared that an order never reached the venue."),
    orders.ORDER_ACCEPTED: _("The venue has taken an order."),
    orders.ORDER_HELD: _("The venue holds an order back for now."),
    orders.ORDER_PARTIALLY_FILLED: _("A part of an order was executed; `fill` says what."),
    orders.ORDER_FILLED: _("An order was executed in full; `fill` is the last execution."),
    orders.ORDER_CANCELED: _("An order was canceled."),
    orders.ORDER_EXPIRED: _("An order's time in force has ended."),
    orders.ORDER_REPLACED: _("An order was replaced by a new one."),
    orders.ORDER_DONE_FOR_DAY: _("An order is done for the day."),
    orders.ORDER_RESUMED: _("An order that was done for the day, executed in part, is at work again."),
    orders.ORDER_REJECTED: _("The venue has refused an order."),
    orders.ORDER_CANCEL_REQUESTED: _("An order's cancellation was asked for."),
    orders.ORDER_CANCEL_REFUSED: _("The venue has refused to cancel an order."),
    orders.ORDER_REPLACE_REQUESTED: _("An order's replacement was asked for."),
    orders.ORDER_REPLACE_REFUSED: _("The venue has refused to replace an order."),
    orders.ORDER_LATE_FILL_RECEIVED: _("An execution came in for an order that was closed."),
    orders.POSITION_OPENED: _("An account had a position when it was first read."),
    orders.RISK_ACCOUNT_CREATED: _("A trading account has its first risk limits."),
    orders.RISK_ACCOUNT_MOVED: _("A trading account is reached through another connection from now on."),
    orders.RISK_LIMITS_CHANGED: _("A trading account's risk limits have changed."),
    orders.KILL_SWITCH_ENGAGED: _("Trading was stopped."),
    orders.KILL_SWITCH_RELEASED: _("Trading goes on."),
    accounts.ACCOUNT_CREATED: _("An account was found at a provider."),
    accounts.ACCOUNT_UPDATED: _("An account's description, status or balance has changed."),
    accounts.TRANSACTION_CREATED: _("A transaction was added to an account."),
    accounts.TRANSACTION_UPDATED: _("A transaction has changed."),
    accounts.TRANSACTION_REMOVED: _("A provider no longer shows a transaction."),
    accounts.GRANT_CREATED: _("A member was granted a permission for a single account or connection."),
    accounts.GRANT_REVOKED: _("A member's permission for a single account or connection was taken back."),
    providers.CONNECTION_CREATED: _("A provider was connected."),
    providers.CONNECTION_DELETED: _("A connection was disabled and its credentials were destroyed."),
    providers.CONNECTION_SYNCED: _("A connection's sync has finished; the first one stands for all rows it brought."),
    providers.CONNECTION_FAILED: _("A connection has stopped working."),
    tenants.TENANT_CREATED: _("The tenant was created."),
    tenants.TENANT_SUSPENDED: _("The tenant was suspended."),
    tenants.TENANT_REACTIVATED: _("The tenant was reactivated."),
    tenants.TENANT_PLAN_CHANGED: _("The tenant has another plan or other limits."),
    tenants.TENANT_POLICY_CHANGED: _("What the tenant asks of its members has changed: `require_mfa`."),
    tenants.MEMBER_ADDED: _("A user has become a member."),
    tenants.MEMBER_ROLE_CHANGED: _("A member has another role."),
    tenants.MEMBER_REMOVED: _("A member was removed."),
    tenants.ROLE_CREATED: _("The tenant has defined a role."),
    tenants.ROLE_CHANGED: _("A role of the tenant's own gives something else, or under other conditions."),
    tenants.ROLE_DELETED: _("A role of the tenant's own was deleted."),
    tenants.INVITATION_CREATED: _("Somebody was invited."),
    tenants.INVITATION_RESENT: _("An invitation is sent again."),
    tenants.INVITATION_REVOKED: _("An invitation was revoked."),
    tenants.INVITATION_ACCEPTED: _("An invitation was accepted."),
    tenants.API_KEY_CREATED: _("An API key was created."),
    tenants.API_KEY_REVOKED: _("An API key was revoked."),
    tenants.API_KEY_ROLLED: _("An API key was replaced by a new one; it works for some time yet."),
    tenants.IMPERSONATION_STARTED: _("Staff of the platform look at the tenant as one of its members, for a reason."),
    tenants.IMPERSONATION_ENDED: _("Staff of the platform do not look at the tenant any more."),
    incidents.OPENED: _("Something needs a person's eyes."),
    incidents.ACKNOWLEDGED: _("A person is looking at an incident."),
    incidents.RESOLVED: _("An incident is over."),
    webhooks.ENDPOINT_CREATED: _("A webhook endpoint was created."),
    webhooks.ENDPOINT_UPDATED: _("A webhook endpoint has changed."),
    webhooks.ENDPOINT_DELETED: _("A webhook endpoint was deleted."),
    webhooks.ENDPOINT_DISABLED: _("The platform has disabled a webhook endpoint."),
    webhooks.ENDPOINT_FAILING: _("Nothing has arrived at a webhook endpoint for hours or days: `notice` 1 to 3."),
    webhooks.ENDPOINT_SECRET_ROTATED: _("A webhook endpoint has a new secret."),
    webhooks.TEST: _("A test that was asked for; it is sent whatever an endpoint subscribes to."),
}


def unknown_types(patterns: Iterable[str]) -> list[str]:
    """Return the patterns that match no event type, in their order."""
    known = {*EVENT_TYPES, *(family(type_) for type_ in EVENT_TYPES), ALL}
    return [pattern for pattern in patterns if pattern not in known]


def family(type_: str) -> str:
    """Return the pattern for all events about the same noun, such as `order.*`."""
    return f"{type_.partition('.')[0]}.*"


def matches(patterns: Sequence[str], type_: str) -> bool:
    """Tell whether a subscription asks for a type; an empty one asks for all."""
    return not patterns or any(asked in patterns for asked in (ALL, type_, family(type_)))
