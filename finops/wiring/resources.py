"""How what a decision is about is read."""

from uuid import UUID

from apps.accounts.enums import AccountMode
from apps.accounts.models import Account, ObjectGrant
from apps.core.conditions import Resource
from apps.core.objects import Objects
from apps.orders.models import Order
from apps.orders.services.requests import as_resource
from apps.tenants.explaining import find_by, grants_by


def account(account_id: UUID) -> Resource | None:
    """Return an account as conditions see it."""
    found = Account.objects.filter(id=account_id).first()
    return (
        None
        if found is None
        else Resource(type="account", id=found.id, account_id=found.id, is_live=found.mode != AccountMode.PAPER)
    )


def order(order_id: UUID) -> Resource | None:
    """Return an order as conditions see it."""
    found = Order.objects.filter(id=order_id).first()
    return None if found is None else as_resource(found)


def granted(member_id: UUID) -> dict[str, Objects]:
    """Return what a member was granted for single objects, by permission; a connection brings its accounts along."""
    found: dict[str, Objects] = {}
    for grant in ObjectGrant.objects.filter(member_id=member_id):
        reached = {"id": grant.account_id} if grant.account_id else {"connection_id": grant.connection_id}
        accounts = frozenset(Account.objects.filter(**reached).values_list("id", flat=True))
        objects = Objects(accounts, frozenset([grant.connection_id] if grant.connection_id else ()))
        found[grant.permission] = found.get(grant.permission, Objects()) | objects
    return found


def install() -> None:
    """Register how each type of resource is read, and what members were granted for single objects."""
    grants_by(granted)
    find_by("account", account)
    find_by("order", order)
