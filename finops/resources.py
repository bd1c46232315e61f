"""How what a decision is about is read. The tenants room does not know what stands above it; the project wires it."""

from uuid import UUID

from apps.accounts.enums import AccountMode
from apps.accounts.models import Account
from apps.core.conditions import Resource
from apps.orders.models import Order
from apps.orders.services.requests import as_resource
from apps.tenants.explaining import find_by


def account(account_id: UUID) -> Resource | None:
    """Return an account as conditions see it."""
    found = Account.objects.filter(id=account_id).first()
    return None if found is None else Resource(type="account", id=found.id, is_live=found.mode != AccountMode.PAPER)


def order(order_id: UUID) -> Resource | None:
    """Return an order as conditions see it."""
    found = Order.objects.filter(id=order_id).first()
    return None if found is None else as_resource(found)


def install() -> None:
    """Register how each type of resource is read."""
    find_by("account", account)
    find_by("order", order)
