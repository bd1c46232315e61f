"""Trading accounts as the risk gate sees them: created when they are first needed, their means read from the venue."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from apps.accounts.enums import AccountKind, AccountStatus
from apps.accounts.models import Account
from apps.audit import services as audit
from apps.core import clock
from apps.core.actor import Actor
from apps.core.db.finding import get_one
from apps.core.money import plain
from apps.core.scope import tenant_scope, write_scope
from apps.core.shared.flight import fly
from apps.market.models import Listing
from apps.orders.errors import AccountNotTradable
from apps.orders.events import (
    POSITION_OPENED,
    RISK_ACCOUNT_CREATED,
    RISK_ACCOUNT_MOVED,
    position_opened_event,
    risk_account_event,
)
from apps.orders.models import Position, RiskAccount
from apps.orders.selectors import risk_accounts_of
from apps.orders.services.locking import lock_risk_account
from apps.outbox import services as outbox
from apps.providers.enums import ConnectionStatus
from apps.providers.errors import ProviderError
from apps.providers.models import Connection
from apps.providers.registry import brokerage_for
from apps.providers.trading import HoldingData, MeansData
from apps.providers.types import RejectedRow

logger = logging.getLogger(__name__)


class AccountUnclear(Exception):
    """The venue shows something held that we cannot tell: the account's risk is not known."""


def ensure_risk_account(*, account_id: UUID, actor: Actor, now: datetime) -> RiskAccount:
    """Return an account's risk row; the first call makes it, with the installation's limits and its means unknown.

    However often an account of a venue is connected, it has one. Should the connection that it was traded through be
    gone, it goes on through the one of this account.

    Raises:
        NotFound: the actor's tenant has no such account.
        AccountNotTradable: it is no open brokerage account of an active connection.
    """
    with write_scope(actor):
        account = _tradable(account_id)
        _lock_connected(account)
        found = risk_accounts_of(account_id).select_related("connection").first()
        if found is not None:
            return found if _is_usable(found.connection) else _move(found, account, actor, now)
        risk_account = new_risk_account(account, now=now)
        risk_account.save(force_insert=True)
        audit.record(
            action=RISK_ACCOUNT_CREATED,
            actor=actor,
            target_type="risk_account",
            target_id=risk_account.id,
            now=now,
            changes={"account_id": [None, account.id], "mode": [None, risk_account.mode]},
        )
        outbox.emit(risk_account_event(RISK_ACCOUNT_CREATED, risk_account), actor=actor, now=now)
        return risk_account


def find_risk_account(*, account_id: UUID, now: datetime) -> RiskAccount:
    """Return an account's risk row, or what it would be made as; in the tenant's scope, writes nothing.

    Raises:
        NotFound, AccountNotTradable: as `ensure_risk_account`.
    """
    found = risk_accounts_of(account_id).first()
    return found or new_risk_account(_tradable(account_id), now=now)


def new_risk_account(account: Account, *, now: datetime) -> RiskAccount:
    """Build an account's risk row with the installation's limits; its means are not known yet."""
    return RiskAccount(
        tenant_id=account.tenant_id,
        account=account,
        connection_id=account.connection_id,
        venue=account.provider,
        external_id=account.external_id,
        mode=account.mode,
        currency=account.currency,
        max_open_trades=settings.RISK_MAX_OPEN_TRADES,
        max_position_value=Decimal(settings.RISK_MAX_POSITION_VALUE),
        max_concentration=Decimal(settings.RISK_MAX_CONCENTRATION_PERCENT).scaleb(-2),
        max_orders_per_minute=settings.RISK_MAX_ORDERS_PER_MINUTE,
        created_at=now,
        updated_at=now,
    )


def refresh_means(*, risk_account_id: UUID, actor: Actor) -> None:
    """Ask the venue for an account's means unless those that are stored are fresh.

    The first time what the account holds is read, too, so that risk from elsewhere counts. Does HTTP: call it outside
    of any transaction. Of several callers one asks, the others wait for its answer. When the venue fails, what is
    stored stays as it is and grows stale.
    """

    def ask(_names: Sequence[str]) -> None:
        _ask(risk_account_id, actor)

    if _find_stale(risk_account_id, actor) is None:
        return
    try:
        fly([f"means:{risk_account_id}"], ask)
    except ProviderError as error:
        logger.warning("risk.means_not_refreshed", extra={"account": str(risk_account_id), "code": error.code})
    except AccountUnclear as error:
        logger.error("risk.holdings_unclear", extra={"account": str(risk_account_id), "reason": str(error)})


def _ask(risk_account_id: UUID, actor: Actor) -> None:
    risk_account = _find_stale(risk_account_id, actor)
    if risk_account is None:
        return
    is_first = risk_account.means_as_of is None
    with brokerage_for(risk_account.connection) as adapter:
        asked_at = clock.now()
        means = adapter.means()
        holdings = adapter.positions() if is_first else []
    if means.external_id != risk_account.external_id or means.currency != risk_account.currency:
        raise AccountUnclear(f"the credentials open another account, {means.external_id} in {means.currency}")
    with write_scope(actor):
        locked = lock_risk_account(risk_account_id)
        if is_first and locked.means_as_of is None:
            _open_positions(locked, holdings, actor, clock.now())
        if locked.means_as_of is None or locked.means_as_of < asked_at:
            _store(locked, means, asked_at)


def _find_stale(risk_account_id: UUID, actor: Actor) -> RiskAccount | None:
    assert actor.tenant_id is not None, "accounts are a tenant's"
    with tenant_scope(actor.tenant_id):
        risk_account = RiskAccount.objects.select_related("connection").get(id=risk_account_id)
    oldest = clock.now() - timedelta(seconds=settings.MEANS_MAX_AGE_SECONDS)
    is_fresh = risk_account.means_as_of is not None and risk_account.means_as_of >= oldest
    return None if is_fresh else risk_account


def _store(risk_account: RiskAccount, means: MeansData, asked_at: datetime) -> None:
    """Take over what the venue says; observed, not decided, hence without a leaf: each decision keeps what it saw."""
    risk_account.equity, risk_account.cash = means.equity, means.cash
    risk_account.buying_power, risk_account.is_restricted = means.buying_power, means.is_restricted
    risk_account.means_as_of = asked_at
    risk_account.save(update_fields=["equity", "cash", "buying_power", "is_restricted", "means_as_of"])


def _open_positions(
    risk_account: RiskAccount, holdings: Sequence[HoldingData | RejectedRow], actor: Actor, now: datetime
) -> None:
    """Open a position for all that the account held before its first order here.

    Raises:
        AccountUnclear: one of them did not map, or is of an instrument that the venue's list does not have (yet).
    """
    for holding, listing in _listed(risk_account.venue, holdings):
        position = Position(
            tenant_id=risk_account.tenant_id,
            risk_account=risk_account,
            instrument=listing.instrument,
            quantity=holding.quantity,
            average_price=holding.average_price,
            created_at=now,
            updated_at=now,
        )
        position.save(force_insert=True)
        changes = {
            "quantity": [None, plain(position.quantity)],
            "average_price": [None, plain(position.average_price)],
        }
        audit.record(
            action=POSITION_OPENED, actor=actor, target_type="position", target_id=position.id, now=now, changes=changes
        )
        outbox.emit(position_opened_event(position), actor=actor, now=now)


def _listed(venue: str, holdings: Sequence[HoldingData | RejectedRow]) -> list[tuple[HoldingData, Listing]]:
    found = []
    for holding in holdings:
        if isinstance(holding, RejectedRow):
            raise AccountUnclear(f"a holding was refused: {holding.reason}")
        listings = Listing.objects.select_related("instrument").filter(venue=venue, external_id=holding.external_id)
        listing = listings.first()
        if listing is None:
            raise AccountUnclear(f"{holding.symbol} is not among the venue's instruments")
        found.append((holding, listing))
    return found


def _tradable(account_id: UUID) -> Account:
    account = get_one(Account.objects.select_related("connection").filter(id=account_id))
    is_open = account.kind == AccountKind.BROKERAGE and account.status == AccountStatus.OPEN
    if not is_open or not _is_usable(account.connection):
        raise AccountNotTradable
    return account


def _is_usable(connection: Connection) -> bool:
    return connection.deleted_at is None and connection.status == ConnectionStatus.ACTIVE


def _lock_connected(account: Account) -> None:
    """Lock every row of the venue's account, so that one of several first calls makes its risk row.

    No other key of these rows is touched by that.
    """
    rows = Account.objects.filter(provider=account.provider, external_id=account.external_id)
    list(rows.order_by("id").select_for_update(no_key=True).values_list("id"))


def _move(risk_account: RiskAccount, account: Account, actor: Actor, now: datetime) -> RiskAccount:
    """Let the venue be asked through another connection of the same account there."""
    locked = lock_risk_account(risk_account.id)
    changes = {"connection_id": [locked.connection_id, account.connection_id]}
    # Its version is that of its limits: whoever has read these may still change them.
    locked.connection, locked.updated_at = account.connection, now
    locked.save(update_fields=["connection", "updated_at"])
    audit.record(
        action=RISK_ACCOUNT_MOVED,
        actor=actor,
        target_type="risk_account",
        target_id=locked.id,
        now=now,
        changes=changes,
    )
    outbox.emit(risk_account_event(RISK_ACCOUNT_MOVED, locked), actor=actor, now=now)
    return locked
