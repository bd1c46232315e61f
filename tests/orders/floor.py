"""An account at the scripted broker, orders on it as intake leaves them, and what came of them."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

import apps.orders.tasks  # noqa: F401  (registers the handlers)
from apps.accounts.models import Account
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.canonical import jsonable
from apps.core.ids import new_id
from apps.core.scope import tenant_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.jobs.runner import run_next
from apps.jobs.services import enqueue
from apps.market.models import Listing
from apps.orders import events
from apps.orders.enums import OrderStatus
from apps.orders.models import Fill, Order, OrderEvent, Position, RiskAccount
from apps.orders.services.accounts import ensure_risk_account
from apps.orders.services.folding import fold, projection_of
from apps.orders.services.locking import lock_order
from apps.orders.services.pulling import pull_account
from apps.orders.services.transitions import note
from apps.orders.services.updates import take_trade_update
from apps.orders.types import CANCEL_ORDER, ORDER_PRIORITY, REPLACE_ORDER, SUBMIT_ORDER
from apps.outbox.models import OutboxEvent
from apps.outbox.services import emit
from apps.providers.trading import TradeUpdate
from apps.tenants.models import Tenant
from tests.factories.accounts import make_account
from tests.factories.market import connect, make_listing
from tests.sandbox_process import SandboxProcess


@dataclass(frozen=True)
class Floor:
    """One tenant's account at one venue."""

    tenant: Tenant
    account: Account
    risk_account: RiskAccount
    listing: Listing

    @property
    def actor(self) -> Actor:
        return system_actor("tests", tenant_id=self.tenant.id)

    def make_order(self, *, job: bool = True, replaces: Order | None = None, **values: Any) -> Order:
        """Store an approved order with its first event, and with its job unless told otherwise."""
        now = clock.now()
        defaults: dict[str, Any] = {
            "side": "buy",
            "type": "limit",
            "quantity": Decimal(10),
            "limit_price": Decimal("190.25"),
            "time_in_force": "day",
            "status": OrderStatus.APPROVED,
            "reserved": Decimal("1902.5"),
            "client_order_id": new_id().hex,
            "created_at": now,
            "updated_at": now,
        }
        order = Order(
            id=new_id(),
            tenant_id=self.tenant.id,
            account=self.account,
            risk_account=self.risk_account,
            instrument=self.listing.instrument,
            symbol=self.listing.symbol,
            mode="paper",
            replaces=replaces,
            **{**defaults, **values},
        )
        with write_scope(self.actor):
            order.save(force_insert=True)
            event = events.order_event(events.ORDER_APPROVED, order)
            OrderEvent.objects.create(
                tenant_id=self.tenant.id,
                order=order,
                sequence=1,
                type=event.type,
                data=jsonable(event.data),
                at=order.created_at,
            )
            emit(event, actor=self.actor, now=now)
            if job:
                self.enqueue(SUBMIT_ORDER if replaces is None else REPLACE_ORDER, order)
        return order

    def enqueue(self, kind: Any, order: Order) -> Job:
        """Ask for work on an order."""
        return enqueue(
            kind=kind,
            payload={"order_id": str(order.id)},
            actor=self.actor,
            now=clock.now(),
            unique_key=str(order.id),
            priority=ORDER_PRIORITY,
        )

    def ask_cancel(self, order: Order) -> None:
        """Wish for a cancel, as intake does."""
        with write_scope(self.actor):
            note(
                lock_order(order.id), events.ORDER_CANCEL_REQUESTED, actor=self.actor, now=clock.now(), pending="cancel"
            )
            self.enqueue(CANCEL_ORDER, order)

    def ask_replace(self, order: Order, **values: Any) -> Order:
        """Wish for a replacement, as intake does, and return it."""
        with write_scope(self.actor):
            original = lock_order(order.id)
            replacement = self.make_order(replaces=original, **values)
            data = {"replacement_id": str(replacement.id)}
            note(
                original,
                events.ORDER_REPLACE_REQUESTED,
                actor=self.actor,
                now=clock.now(),
                data=data,
                pending="replace",
            )
            return replacement

    def hear(self, update: TradeUpdate) -> None:
        """Take over a message of the stream."""
        take_trade_update(risk_account_id=self.risk_account.id, update=update, actor=self.actor, now=clock.now())

    def pull(self) -> None:
        """Read the account from its venue."""
        pull_account(self.risk_account.id, actor=self.actor, clock=clock.now)

    def run(self, *, ahead: float = 0, most: int = 20) -> int:
        """Run the jobs of orders that are due within `ahead` seconds; return how many."""
        count = 0
        while count < most and run_next("orders", worker="tests", now=clock.now() + timedelta(seconds=ahead)):
            count += 1
        return count

    def run_one(self, *, ahead: float = 0) -> bool:
        """Run the next job that is due within `ahead` seconds."""
        return run_next("orders", worker="tests", now=clock.now() + timedelta(seconds=ahead))

    def read(self, order: Order) -> Order:
        """Return the order as it is stored, once its events have been seen to add up to it.

        It is locked meanwhile: whoever else changes it changes its events, too.
        """
        with tenant_scope(self.tenant.id):
            stored = lock_order(order.id)
            happened = list(OrderEvent.objects.filter(order=order).order_by("sequence"))
            assert [event.sequence for event in happened] == list(range(1, stored.version + 1))
            assert fold(happened) == projection_of(stored)
            emitted = OutboxEvent.objects.filter(entity_id=order.id).order_by("position").values_list("type", "data")
            assert list(emitted) == [(event.type, event.data) for event in happened]
        return stored

    def fate(self, order: Order) -> tuple[str, str | None, str | None]:
        """Return an order's status, filled quantity and average price as they read."""
        stored = self.read(order)
        return stored.status, number(stored.filled_quantity), number(stored.average_fill_price)

    def events(self, order: Order) -> list[str]:
        """Return what happened to an order, without "order."."""
        with tenant_scope(self.tenant.id):
            rows = OrderEvent.objects.filter(order=order).order_by("sequence").values_list("type", flat=True)
            return [name.removeprefix("order.") for name in rows]

    def leaves(self, order: Order) -> list[str]:
        """Return the audit actions about an order."""
        with tenant_scope(self.tenant.id):
            rows = AuditEntry.objects.filter(target_type="order", target_id=str(order.id)).order_by("position")
            return list(rows.values_list("action", flat=True))

    def fills(self) -> list[Fill]:
        with tenant_scope(self.tenant.id):
            return list(Fill.objects.order_by("id"))

    def position(self) -> Position:
        """Return the account's one position."""
        with tenant_scope(self.tenant.id):
            return Position.objects.get(risk_account=self.risk_account)

    def is_flat(self) -> bool:
        """Tell whether the account never held anything."""
        with tenant_scope(self.tenant.id):
            return not Position.objects.filter(risk_account=self.risk_account).exists()

    def incidents(self) -> list[tuple[str, str]]:
        """Return (kind, state) of every incident, in the order of their opening."""
        with tenant_scope(self.tenant.id):
            return list(Incident.objects.order_by("id").values_list("kind", "state"))

    def jobs(self, **where: Any) -> list[Job]:
        with tenant_scope(self.tenant.id):
            return list(Job.objects.filter(queue="orders", **where).order_by("id"))


def open_floor(tenant: Tenant, *, provider: str, key: str = "XNAS:AAPL") -> Floor:
    """Connect a tenant to a broker and let it trade one instrument."""
    connection = connect(tenant, provider)
    account = make_account(tenant, connection=connection, kind="brokerage", subtype="margin", mode="paper")
    return _open(tenant, account, make_listing(key, venue=provider))


def open_alpaca_floor(tenant: Tenant, sandbox: SandboxProcess, label: str) -> Floor:
    """Connect a tenant to a paper account of its own at the sandbox's Alpaca, and let it trade one share."""
    keys = sandbox.credentials(label)["alpaca"]
    connection = connect(tenant, "alpaca", credentials=keys)
    headers = {"APCA-API-KEY-ID": keys["key_id"], "APCA-API-SECRET-KEY": keys["secret_key"]}
    asset = httpx.get(f"{sandbox.url}/alpaca/v2/assets/AAPL", verify=False, headers=headers).raise_for_status().json()
    external_id = sandbox.alpaca_state(keys["key_id"])["account"]["id"]
    values = {"kind": "brokerage", "subtype": "margin", "mode": "paper", "external_id": external_id}
    account = make_account(tenant, connection=connection, **values)
    found = Listing.objects.select_related("instrument").filter(venue="alpaca", instrument__key="XNAS:AAPL").first()
    return _open(tenant, account, found or make_listing("XNAS:AAPL", external_id=asset["id"]))


def _open(tenant: Tenant, account: Account, listing: Listing) -> Floor:
    actor = system_actor("tests", tenant_id=tenant.id)
    risk_account = ensure_risk_account(account_id=account.id, actor=actor, now=clock.now())
    with write_scope(actor):
        means = {"equity": Decimal(100_000), "cash": Decimal(100_000), "buying_power": Decimal(200_000)}
        RiskAccount.objects.filter(id=risk_account.id).update(**means, means_as_of=clock.now())
    return Floor(tenant, account, risk_account, listing)


def number(value: Decimal | None) -> str | None:
    """Return a stored decimal as it reads."""
    return None if value is None else f"{value.normalize():f}"
