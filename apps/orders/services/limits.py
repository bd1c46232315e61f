"""The limits that a tenant sets for its own trading."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.errors import ValidationFailed
from apps.core.money import plain
from apps.core.scope import write_scope
from apps.orders.events import RISK_LIMITS_CHANGED, risk_account_event
from apps.orders.models import RiskAccount
from apps.orders.rules.units import DIGITS
from apps.orders.services.accounts import ensure_risk_account
from apps.orders.services.locking import lock_risk_account
from apps.outbox import services as outbox

# Each limit with the largest value that makes sense; none is negative, and 0 lets nothing through.
LARGEST: dict[str, int | Decimal] = {
    "max_open_trades": 10_000,
    "max_position_value": Decimal(10) ** 15,
    "max_concentration": Decimal(100),  # a share of equity; more than 1 with borrowed money
    "max_orders_per_minute": 10_000,
}


def set_limits(
    *,
    account_id: UUID,
    limits: dict[str, int | Decimal],
    expected_version: int | None = None,
    reason: str = "",
    actor: Actor,
    now: datetime,
) -> RiskAccount:
    """Change some of an account's limits; the next order is judged by them, orders that are out stay.

    Saying what is already so changes nothing and leaves no record. A `reason` is kept: staff give one.

    Raises:
        ValidationFailed: `errors` names each limit that is not acceptable.
        NotFound, AccountNotTradable: as `ensure_risk_account`.
        VersionConflict: the limits have another version than expected.
    """
    with write_scope(actor):
        risk_account = lock_risk_account(ensure_risk_account(account_id=account_id, actor=actor, now=now).id)
        risk_account.require_version(expected_version)
        _require_valid(limits)
        changes = _change(risk_account, limits)
        if not changes:
            return risk_account
        risk_account.save_next(*LARGEST, now=now)
        audit.record(
            action=RISK_LIMITS_CHANGED,
            actor=actor,
            target_type="risk_account",
            target_id=risk_account.id,
            now=now,
            changes={**changes, **({"reason": [None, reason]} if reason else {})},
        )
        outbox.emit(risk_account_event(RISK_LIMITS_CHANGED, risk_account), actor=actor, now=now)
        return risk_account


def _change(risk_account: RiskAccount, limits: dict[str, int | Decimal]) -> dict[str, Any]:
    changes = {}
    for name, value in limits.items():
        before = getattr(risk_account, name)
        if value != before:
            setattr(risk_account, name, value)
            changes[name] = [_text(before), _text(value)]
    return changes


def _text(value: int | Decimal) -> int | str:
    return plain(value) if isinstance(value, Decimal) else value


def _require_valid(limits: dict[str, int | Decimal]) -> None:
    errors = [
        {"field": name, "code": code, "message": message}
        for name, value in limits.items()
        for code, message in _problems(name, value)
    ]
    if errors:
        raise ValidationFailed(errors=errors)


def _problems(name: str, value: int | Decimal) -> list[tuple[str, str]]:
    """Return what is wrong with a limit, one thing at most."""
    if name not in LARGEST:
        return [("unknown_field", _("There is no such limit."))]
    if isinstance(value, Decimal) and not value.is_finite():
        return [("invalid", _("A number is needed."))]
    if not 0 <= value <= LARGEST[name]:
        return [("out_of_range", _("It must be from 0 to %(most)s.") % {"most": _text(LARGEST[name])})]
    if isinstance(value, Decimal) and value != round(value, DIGITS):
        return [("too_precise", _("It has at most %(digits)s decimal places.") % {"digits": DIGITS})]
    return []
