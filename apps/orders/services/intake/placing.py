"""Places an order: take the key, lock the risk account, read, decide, write. Nothing is sent here.

What the gate lacks is fetched outside of the transaction; what it then still lacks denies the order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from apps.core import clock
from apps.core.actor import Actor
from apps.core.db.statements import insert
from apps.core.decisions import require_granted
from apps.core.errors import NotFound, ValidationFailed
from apps.core.permissions import Permission
from apps.core.scope import write_scope_with
from apps.idempotency.services import bounded_wait, find_answer, keep_statement, take_statement
from apps.idempotency.types import Answer
from apps.orders.enums import Mode
from apps.orders.errors import AccountNotTradable, ClientOrderIdTaken, LiveAccountRefused
from apps.orders.models import Order
from apps.orders.rules.parameters import Parameters, parameter_errors
from apps.orders.rules.snapshot import Decision
from apps.orders.services.intake import reading, writing
from apps.orders.services.intake.judging import judge, request_for_people, require_may_place
from apps.orders.services.intake.reading import Facts, Reading
from apps.orders.services.intake.refreshing import with_fresh_inputs
from apps.orders.types import Clock, NewOrder

_RULES_OF_ALL = frozenset({"required", "not_positive", "too_large", "too_precise"})
# How the interface answers, with the order's JSON; for a dry run the decision instead.
Show = Callable[[Order, str, Decision], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """An order to place, once per key. `only_paper`: whoever asks may not move real money."""

    account_id: UUID
    new: NewOrder
    key: str
    fingerprint: bytes
    only_paper: bool
    is_dry_run: bool = False


def place_order(placement: Placement, *, show: Show, actor: Actor, time: Clock = clock.now) -> tuple[Answer, bool]:
    """Decide upon an order, store it, and have it sent if it was approved; return the answer, and if it is a replay.

    The time is read under the lock, since the wait for it may have been long. The answer is kept with the key in the
    same transaction.

    Raises:
        NotFound: the tenant has no such account, or the actor may not place orders there.
        ValidationFailed: `errors` names each field.
        LiveAccountRefused, AccountNotTradable, ClientOrderIdTaken, ConditionFailed, ReadOnly: see the classes.
        IdempotencyInFlight, IdempotencyKeyReused: see the classes.
    """

    # Before the key is looked up: an answer that was kept of an account is not for whoever has lost it.
    require_granted(actor, Permission.ORDERS_WRITE, placement.account_id)

    def attempt(is_last_try: bool) -> tuple[Answer, bool]:
        return _place(placement, show, actor, time, is_last_try)

    return with_fresh_inputs(attempt, actor=actor, time=time)


def _place(placement: Placement, show: Show, actor: Actor, time: Clock, is_last_try: bool) -> tuple[Answer, bool]:
    new, tenant_id = placement.new, actor.tenant_id
    assert tenant_id is not None
    take = take_statement(tenant_id=tenant_id, key=placement.key, fingerprint=placement.fingerprint, now=time())
    reads = reading.statements_of(
        tenant_id=tenant_id,
        account_id=placement.account_id,
        instrument=new.instrument,
        client_order_id=new.client_order_id,
    )
    with bounded_wait(), write_scope_with(actor, [take, *reads]) as (taken, *rows):
        if not taken:
            kept = find_answer(key=placement.key, fingerprint=placement.fingerprint, now=time())
            if kept is not None:
                return kept, True
        found = Reading.of(rows)
        _require_account(found, placement)
        answer = _decide(placement, found, show, actor, time(), is_last_try)
    return answer, False


def _require_account(found: Reading, placement: Placement) -> None:
    """Refuse what no gate has to look at: accounts out of reach and impossible parameters."""
    if found.facts is None:
        raise NotFound
    if placement.only_paper and found.facts.mode != Mode.PAPER:
        raise LiveAccountRefused
    errors = field_errors(placement.new, found.facts)
    if errors:
        raise ValidationFailed(errors=errors)
    if not found.facts.can_trade:
        raise AccountNotTradable
    if found.facts.is_client_id_taken:
        raise ClientOrderIdTaken


def _decide(placement: Placement, found: Reading, show: Show, actor: Actor, now: datetime, is_last_try: bool) -> Answer:
    new, account_id = placement.new, placement.account_id
    snapshot, decision = judge(found, new, account_id=account_id, now=now, is_last_try=is_last_try)
    require_may_place(snapshot, new, account_id=account_id, actor=actor, now=now)
    order = writing.order_of(new, decision, found, account_id=account_id, actor=actor, now=now)
    record = writing.decision_of(
        decision, snapshot, order=order, request=request_for_people(new), actor=actor, is_dry_run=placement.is_dry_run
    )
    shown = writing.order_json(order)
    answer = show(order, shown, decision)
    if placement.is_dry_run:
        rows = [insert(record)]
    else:
        rows = writing.statements_of(order, record, decision, shown=shown, actor=actor)
    writing.store([*rows, keep_statement(key=placement.key, answer=answer)])
    return answer


def field_errors(new: NewOrder, facts: Facts) -> list[dict[str, str]]:
    """Return what is wrong with an order's parameters, at most one error per field."""
    parameters = Parameters(
        type=new.type,
        time_in_force=new.time_in_force,
        quantity=new.quantity,
        limit_price=new.limit_price,
        stop_price=new.stop_price,
    )
    errors = [error._asdict() for error in parameter_errors(parameters, facts.listing)]
    if facts.instrument_id is None:
        unknown = {"field": "instrument", "code": "unknown_instrument", "message": _("There is no such instrument.")}
        # Without its rules only what holds for every instrument is known to be wrong.
        return [unknown, *(error for error in errors if error["code"] in _RULES_OF_ALL)]
    return errors
