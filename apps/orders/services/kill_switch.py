"""Engaging and releasing kill switches."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts.models import Account
from apps.audit import services as audit
from apps.core.actor import Actor
from apps.core.errors import NotFound, ValidationFailed, VersionConflict
from apps.core.ids import new_id
from apps.core.scope import current_tenant_id, require_whole_installation, staff_scope, write_scope
from apps.orders.enums import SwitchScope
from apps.orders.events import KILL_SWITCH_ENGAGED, KILL_SWITCH_RELEASED, kill_switch_event
from apps.orders.models import InstallationKillSwitch, KillSwitch
from apps.orders.selectors import risk_accounts_of
from apps.orders.services.accounts import ensure_risk_account
from apps.orders.services.switches import await_sends, line_of, sends_under_way
from apps.outbox import services as outbox
from apps.tenants.errors import StaffOnly

LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class SwitchResult:
    """A switch as it is now. `is_quiet`: no order can be under way to the venue; None after a release."""

    switch: KillSwitch | InstallationKillSwitch | None
    is_quiet: bool | None


@dataclass(frozen=True, slots=True)
class SwitchState:
    """Every switch that a tenant feels. `in_flight` tells by account, and under None for the tenant, whether an order
    that was being sent is still under way; only of what is stopped.
    """

    installation: InstallationKillSwitch | None
    tenant: KillSwitch | None
    accounts: tuple[KillSwitch, ...]
    in_flight: Mapping[UUID | None, bool]

    @property
    def is_engaged(self) -> bool:
        """Whether the whole tenant is stopped, by its own switch or by the installation's."""
        return any(switch is not None and switch.engaged for switch in (self.tenant, self.installation))


def read_kill_switches() -> SwitchState:
    """Return the switches that stop the open scope's tenant, its own and its accounts'."""
    tenant_id = current_tenant_id()
    installation = InstallationKillSwitch.objects.first()
    switches = list(KillSwitch.objects.filter(tenant_id=tenant_id).order_by("id"))
    own = next((switch for switch in switches if switch.account_id is None), None)
    accounts = tuple(switch for switch in switches if switch.account_id is not None)
    stopped: dict[UUID | None, int] = {
        switch.account_id: line_of(SwitchScope.ACCOUNT, switch.account_id) for switch in accounts if switch.engaged
    }
    if any(switch is not None and switch.engaged for switch in (own, installation)):
        stopped[None] = line_of(SwitchScope.TENANT, tenant_id)
    busy = sends_under_way(list(stopped.values()))
    in_flight = {owner: key in busy for owner, key in stopped.items()}
    return SwitchState(installation, own, accounts, in_flight)


def set_kill_switch(
    *,
    scope: SwitchScope,
    account_id: UUID | None = None,
    engaged: bool,
    reason: str,
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> SwitchResult:
    """Engage or release the switch of an account, of the actor's tenant, or of the installation.

    Engaging waits for orders that are being sent at this moment, and commits after the last of them: from then on none
    goes out. A send that does not end in time is not waited for any longer: the switch is engaged, and `is_quiet` is
    False. Ask again to wait again. Saying what is already so changes nothing and leaves no record.

    Raises:
        ValidationFailed: engaging needs a reason.
        NotFound: the tenant has no such account.
        AccountNotTradable: see the class.
        VersionConflict: the switch has another version than expected.
        StaffOnly: the installation's switch is staff's alone.
    """
    _require_reason(engaged, reason)
    if scope is SwitchScope.INSTALLATION:
        return _set_installation(engaged, reason, expected_version, actor, now)
    # Whoever stops trading takes risk away: that works while writing is switched off.
    with write_scope(actor, even_if_read_only=engaged):
        if account_id is not None:
            account_id = _trading_account(account_id, engaged, actor, now)
        owner = account_id if scope is SwitchScope.ACCOUNT else actor.tenant_id
        is_quiet = _await_sends(line_of(scope, owner)) if engaged else None
        switch = _lock(account_id)
        if switch is None and not engaged:
            _require_version(None, expected_version)
            return SwitchResult(None, is_quiet)
        if switch is None:
            switch = KillSwitch(tenant_id=current_tenant_id(), account_id=account_id, **_released(now))
        changes = _change(switch, engaged, reason, expected_version, actor, now)
        if changes:
            _tell(switch, {"account_id": [account_id, account_id], **changes}, actor, now)
        return SwitchResult(switch, is_quiet)


def _trading_account(account_id: UUID, engaged: bool, actor: Actor, now: datetime) -> UUID:
    """Return the account whose switch stops all that is the same account at its venue."""
    found = risk_accounts_of(account_id).first()
    if found is None and not Account.objects.filter(id=account_id).exists():
        raise NotFound
    if found is None and engaged:
        # Only what can trade is stopped, and is then among the trading accounts, where staff find it.
        found = ensure_risk_account(account_id=account_id, actor=actor, now=now)
    return found.account_id if found else account_id


def _set_installation(
    engaged: bool, reason: str, expected_version: int | None, actor: Actor, now: datetime
) -> SwitchResult:
    if actor.kind not in ("staff", "system"):
        raise StaffOnly
    require_whole_installation()
    with staff_scope():
        is_quiet = _await_sends(line_of(SwitchScope.INSTALLATION)) if engaged else None
        switch = InstallationKillSwitch.objects.select_for_update().first()
        if switch is None and not engaged:
            _require_version(None, expected_version)
            return SwitchResult(None, is_quiet)
        if switch is None:
            switch = InstallationKillSwitch(**_released(now))
        changes = _change(switch, engaged, reason, expected_version, actor, now)
        if changes:
            target: dict[str, Any] = {"target_type": "installation", "target_id": "installation"}
            audit.record(action=_action(switch), actor=actor, now=now, changes=changes, **target)
        return SwitchResult(switch, is_quiet)


def _lock(account_id: UUID | None) -> KillSwitch | None:
    switches = KillSwitch.objects.select_for_update()
    of_account = Q(account__isnull=True) if account_id is None else Q(account_id=account_id)
    return switches.filter(of_account).first()


def _await_sends(key: int) -> bool:
    return await_sends(key, seconds=settings.KILL_SWITCH_WAIT_SECONDS)


def _released(now: datetime) -> dict[str, Any]:
    """Return the columns of a switch that was never touched; its version 0 is never stored."""
    return {"id": new_id(), "engaged": False, "reason": "", "version": 0, "created_at": now}


def _change(
    switch: KillSwitch | InstallationKillSwitch,
    engaged: bool,
    reason: str,
    expected_version: int | None,
    actor: Actor,
    now: datetime,
) -> dict[str, Any]:
    """Bring a locked switch, or a new one, into the wanted state; return the audit's changes, none if it is in it."""
    _require_version(switch, expected_version)
    wanted = {"engaged": engaged, "reason": reason}
    changes = {name: [getattr(switch, name), value] for name, value in wanted.items() if getattr(switch, name) != value}
    if not changes or not (engaged or switch.engaged):
        return {}
    is_new = switch.version == 0
    switch.engaged, switch.reason, switch.changed_by = engaged, reason, actor.label
    switch.version, switch.updated_at = switch.version + 1, now
    columns = ["engaged", "reason", "changed_by", "version", "updated_at"]
    switch.save(force_insert=is_new, update_fields=None if is_new else columns)
    return changes


def _tell(switch: KillSwitch, changes: dict[str, Any], actor: Actor, now: datetime) -> None:
    action = _action(switch)
    audit.record(action=action, actor=actor, target_type="kill_switch", target_id=switch.id, now=now, changes=changes)
    outbox.emit(kill_switch_event(action, switch), actor=actor, now=now)


def _action(switch: KillSwitch | InstallationKillSwitch) -> str:
    return KILL_SWITCH_ENGAGED if switch.engaged else KILL_SWITCH_RELEASED


def _require_version(switch: KillSwitch | InstallationKillSwitch | None, expected: int | None) -> None:
    if expected is not None and (switch is None or switch.version == 0 or switch.version != expected):
        raise VersionConflict


def _require_reason(engaged: bool, reason: str) -> None:
    problem = ""
    if engaged and not reason.strip():
        problem, code = _("Say why: whoever finds their orders denied will ask."), "required"
    elif len(reason) > LONGEST_REASON:
        problem, code = _("It is too long."), "max_length"
    if problem:
        raise ValidationFailed(errors=[{"field": "reason", "code": code, "message": problem}])
