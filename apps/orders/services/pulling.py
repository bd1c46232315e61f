"""Reads what happened on an account at its venue, so that nothing hangs on the stream.

Orders are read first, then executions: these are then never behind the orders that they belong to. An order that is
open with us and not among the venue's open ones is asked for by its id.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core.actor import Actor
from apps.core.models import ReadOnlySwitch
from apps.core.scope import tenant_scope, write_scope
from apps.orders.models import Fill, Order, RiskAccount
from apps.orders.rules.states import BEFORE_VENUE, OPEN_STATES
from apps.orders.services.alarms import ORDER_VANISHED, call_a_person
from apps.orders.services.drift import compare_positions, is_comparison_due
from apps.orders.services.fills import record_fill
from apps.orders.services.locking import lock_order
from apps.orders.services.stranded import see_to_stranded
from apps.orders.services.turns import end_turn, is_taken, stream_turn, take_turn
from apps.orders.services.updates import find_order, take_venue_order
from apps.orders.types import Clock
from apps.providers.protocols import BrokerageAdapter
from apps.providers.registry import brokerage_for
from apps.providers.trading import FillData, VenueOrder
from apps.providers.types import RejectedRow

logger = logging.getLogger(__name__)

# Lists of executions may lag behind and be filled in out of order.
OVERLAP = timedelta(minutes=10)
# How often an account with open orders is read while its stream is listened to: messages do get lost.
_CALM_SECONDS = 15
# A pull whose process died is taken over after this time.
_LONGEST_PULL_SECONDS = 30
# Executions of orders that we do not know by the venue's id: so many are asked about in one pull.
_MOST_STRANGERS = 20
_MOST_REMEMBERED = 10_000
# Orders at the venue that are none of ours; their executions are not asked about again in this process.
_foreign: set[tuple[UUID, str]] = set()


class AccountBeingPulled(Exception):
    """Another process is reading the account at this moment."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What of an account is open with us, and from when on executions are of interest."""

    risk_account: RiskAccount
    open_orders: Sequence[Order]
    since: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """What the venue said, by its ids of orders. `vanished` are orders of ours that it had and knows no more."""

    orders: Mapping[str, VenueOrder]
    fills: Mapping[str, Sequence[FillData]]
    vanished: Sequence[Order]


def pull_account(risk_account_id: UUID, *, actor: Actor, clock: Clock) -> None:
    """Read an account's orders and executions and take over what is new; compare positions when nothing is open.

    Raises:
        ProviderError: the venue could not be asked.
        AccountBeingPulled: another process is at it.
    """
    name = f"pull:{risk_account_id}"
    if not take_turn(name, seconds=_LONGEST_PULL_SECONDS):
        raise AccountBeingPulled
    try:
        _pull(risk_account_id, actor, clock)
    finally:
        end_turn(name)


def accounts_to_pull(*, are_open: bool) -> list[tuple[UUID, UUID]]:
    """Return (tenant, risk account) of those with open orders, or of all; call it in the system scope.

    One with open orders whose stream is listened to is read now and then only: venues count every request. Tenants
    that are switched to read-only are left out: what happens meanwhile is read once they are back.
    """
    switches = ReadOnlySwitch.objects.all()
    if switches.filter(tenant_id__isnull=True).exists():
        return []
    accounts = RiskAccount.objects.filter(connection__deleted_at__isnull=True)
    accounts = accounts.exclude(tenant_id__in=switches.values("tenant_id"))
    if are_open:
        open_orders = Order.objects.filter(status__in=OPEN_STATES)
        accounts = accounts.filter(id__in=open_orders.values("risk_account_id"))
    rows = accounts.values_list("tenant_id", "id", "connection_id")
    return [(tenant_id, id_) for tenant_id, id_, connection_id in rows if not are_open or _is_due(id_, connection_id)]


def _is_due(risk_account_id: UUID, connection_id: UUID) -> bool:
    if not is_taken(stream_turn(connection_id)):
        return True
    return take_turn(f"calm:{risk_account_id}", seconds=_CALM_SECONDS)


def _pull(risk_account_id: UUID, actor: Actor, clock: Clock) -> None:
    assert actor.tenant_id is not None
    with tenant_scope(actor.tenant_id):
        plan = _plan(risk_account_id)
        venue = brokerage_for(plan.risk_account.connection)
    with venue:
        _take(plan, _read(venue, plan), actor, clock)
        # Until its means are known an account's positions have not been taken over either (services/accounts.py).
        is_known = plan.risk_account.means_as_of is not None
        if is_known and not plan.open_orders and is_comparison_due(risk_account_id):
            began = clock()
            held = venue.positions()
            compare_positions(risk_account_id, held, began=began, actor=actor, now=clock())
    see_to_stranded(plan.open_orders, actor=actor, now=clock())


def _plan(risk_account_id: UUID) -> Plan:
    risk_account = RiskAccount.objects.select_related("connection").get(id=risk_account_id)
    orders = Order.objects.filter(risk_account=risk_account, status__in=OPEN_STATES).order_by("id")
    last = Fill.objects.filter(risk_account=risk_account).order_by("-id").first()
    return Plan(risk_account, list(orders), (last.filled_at if last else risk_account.created_at) - OVERLAP)


def _read(venue: BrokerageAdapter, plan: Plan) -> Reading:
    told = {order.venue_order_id: order for order in venue.open_orders()}
    vanished = []
    for ours in plan.open_orders:
        if ours.status in BEFORE_VENUE or ours.venue_order_id in told:
            continue  # what has not arrived at the venue is its job's business
        found = venue.get_order(ours.venue_order_id)
        if found is None:
            vanished.append(ours)
        else:
            told[ours.venue_order_id] = found
    fills = _by_order(venue.fills(since=plan.since))
    incomplete = [ours.created_at for ours in plan.open_orders if _is_incomplete(ours, told, fills)]
    if incomplete:
        fills = _by_order(venue.fills(since=min(incomplete) - OVERLAP))
    return Reading(told | _strangers(venue, plan, fills.keys() - told.keys()), fills, vanished)


def _by_order(rows: Iterable[FillData | RejectedRow]) -> dict[str, list[FillData]]:
    fills: dict[str, list[FillData]] = defaultdict(list)
    for row in rows:
        if isinstance(row, RejectedRow):
            # It is missed in the order's executions or in the position, and each of these tells a person.
            logger.error("order.fill_unreadable", extra={"reason": row.reason, "row": row.external_id})
        else:
            fills[row.venue_order_id].append(row)
    return fills


def _is_incomplete(ours: Order, told: Mapping[str, VenueOrder], fills: Mapping[str, Sequence[FillData]]) -> bool:
    """Tell whether executions are missing that are older than what was read."""
    order = told.get(ours.venue_order_id)
    if order is None or order.filled_quantity <= ours.filled_quantity:
        return False
    return sum(fill.quantity for fill in fills.get(ours.venue_order_id, ())) < order.filled_quantity


def _strangers(venue: BrokerageAdapter, plan: Plan, ids: Iterable[str]) -> dict[str, VenueOrder]:
    """Ask for orders that we do not know by the venue's id: one of ours may be among them, known by our own id."""
    account_id = plan.risk_account.id
    with tenant_scope(plan.risk_account.tenant_id):
        ours = Order.objects.filter(risk_account_id=account_id, venue_order_id__in=ids)
        known = set(ours.values_list("venue_order_id", flat=True))
    found = {}
    for venue_order_id in sorted(set(ids) - known)[:_MOST_STRANGERS]:
        if (account_id, venue_order_id) not in _foreign:
            order = venue.get_order(venue_order_id)
            if order is not None:
                found[venue_order_id] = order
    return found


def _take(plan: Plan, reading: Reading, actor: Actor, clock: Clock) -> None:
    """Take over what is new, each order's in a transaction of its own."""
    known = {order.venue_order_id: order for order in plan.open_orders if order.venue_order_id}
    fills = _new_fills(plan, reading)
    for venue_order_id in [*reading.orders, *(fills.keys() - reading.orders.keys())]:
        told, ours = reading.orders.get(venue_order_id), known.get(venue_order_id)
        is_as_known = told and ours and (told.status, told.filled_quantity) == (ours.status, ours.filled_quantity)
        is_foreign = (plan.risk_account.id, venue_order_id) in _foreign
        if is_foreign or (is_as_known and venue_order_id not in fills):
            continue
        _take_one(plan.risk_account, venue_order_id, told, fills.get(venue_order_id, ()), actor, clock())
    title = _("The venue had %(order)s and does not know it any more")
    for order in reading.vanished:
        call_a_person(ORDER_VANISHED, order, title, {"venue_order_id": order.venue_order_id}, actor=actor, now=clock())


def _new_fills(plan: Plan, reading: Reading) -> dict[str, list[FillData]]:
    rows = [fill for fills in reading.fills.values() for fill in fills]
    with tenant_scope(plan.risk_account.tenant_id):
        stored = Fill.objects.filter(
            risk_account=plan.risk_account, venue_execution_id__in=[fill.execution_id for fill in rows]
        )
        known = set(stored.values_list("venue_execution_id", flat=True))
    new: dict[str, list[FillData]] = defaultdict(list)
    for fill in rows:
        if fill.execution_id not in known:
            new[fill.venue_order_id].append(fill)
    return new


def _take_one(
    risk_account: RiskAccount,
    venue_order_id: str,
    told: VenueOrder | None,
    fills: Sequence[FillData],
    actor: Actor,
    now: datetime,
) -> None:
    client_order_id = told.client_order_id if told else ""
    with write_scope(actor):
        order_id = find_order(risk_account.id, venue_order_id=venue_order_id, client_order_id=client_order_id)
        order = lock_order(order_id) if order_id else None
        if order is None or (told and not take_venue_order(order, told, fills=fills, actor=actor, now=now)):
            if len(_foreign) < _MOST_REMEMBERED:
                _foreign.add((risk_account.id, venue_order_id))
        elif told is None:
            for fill in fills:
                record_fill(order, fill, actor=actor, now=now)
