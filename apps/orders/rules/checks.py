"""The gate's checks: each looks at one thing and says why not, or None.

A check whose input is missing, old or absurd denies. An order that can only reduce a position adds no risk: the limits
of risk and means let it pass.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from apps.orders.enums import Side
from apps.orders.rules.codes import DenialCode
from apps.orders.rules.rate import next_reset
from apps.orders.rules.snapshot import Proposal, Snapshot
from apps.orders.rules.units import ONE, SECOND, plain
from apps.orders.rules.valuation import Worst


class Denial(NamedTuple):
    """Why not, with the figures in plain decimals."""

    code: DenialCode
    detail: str


Check = Callable[[Snapshot, Proposal, Worst], Denial | None]


def clock(snapshot: Snapshot, _proposal: Proposal, _worst: Worst) -> Denial | None:
    """Our clock must agree with the venue's: its time lies between our asking and its answer, give or take."""
    asked, told, received = snapshot.clock_asked_at, snapshot.clock_venue_at, snapshot.clock_received_at
    if asked is None or told is None or received is None or snapshot.clock_is_open is None:
        return Denial(DenialCode.CLOCK_UNKNOWN, "The venue's clock is not known.")
    if not clock_is_fresh(snapshot):
        return Denial(DenialCode.CLOCK_UNKNOWN, f"The venue's clock was read {_age(asked, snapshot)} ago.")
    tolerance = snapshot.max_clock_offset
    if not asked <= received <= snapshot.now + tolerance:
        return Denial(DenialCode.CLOCK_UNKNOWN, "The venue's clock was read at a time that cannot be.")
    if not asked - tolerance <= told <= received + tolerance:
        offset = told - received if told > received else told - asked
        limit = _seconds(tolerance)
        return Denial(
            DenialCode.CLOCK_OFFSET, f"The venue's clock is {_seconds(offset)} off ours; the limit is {limit}."
        )
    return None


def kill_switch(snapshot: Snapshot, _proposal: Proposal, _worst: Worst) -> Denial | None:
    """No kill switch may be engaged."""
    if snapshot.engaged_switches is None:
        return Denial(DenialCode.KILL_SWITCH_UNKNOWN, "Whether a kill switch is engaged is not known.")
    if snapshot.engaged_switches:
        return stopped(snapshot.engaged_switches)
    return None


def stopped(switches: Sequence[str]) -> Denial:
    """Return the denial of an order that kill switches stop; they come as "tenant: year-end"."""
    return Denial(DenialCode.KILL_SWITCH_ENGAGED, f"A kill switch is engaged ({'; '.join(switches)}).")


def price(snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """The quote must have both sides in order, and be fresh: at the venue and with us."""
    told, received = snapshot.quote_venue_at, snapshot.quote_received_at
    if worst.ask is None or told is None or received is None:
        return Denial(DenialCode.PRICE_UNKNOWN, _quote_text(snapshot))
    for at in (told, received):
        if not is_fresh(at, snapshot.quote_max_age, snapshot):
            limit = _seconds(snapshot.quote_max_age)
            return Denial(DenialCode.PRICE_STALE, f"The quote is {_age(at, snapshot)} old; the limit is {limit}.")
    return None


def venue_open(snapshot: Snapshot, _proposal: Proposal, _worst: Worst) -> Denial | None:
    """The venue must be open; for crypto it always is."""
    if snapshot.asset_class == "crypto" or snapshot.clock_is_open:
        return None
    return Denial(DenialCode.VENUE_CLOSED, "The venue is closed.")


def instrument(snapshot: Snapshot, _proposal: Proposal, _worst: Worst) -> Denial | None:
    """The venue must list the instrument and let it be traded."""
    if snapshot.listed is None or snapshot.tradable is None or snapshot.asset_class is None:
        return Denial(DenialCode.INSTRUMENT_UNKNOWN, "The account's venue does not know the instrument.")
    if not snapshot.listed:
        return Denial(DenialCode.INSTRUMENT_NOT_TRADABLE, "The venue no longer lists the instrument.")
    if not snapshot.tradable:
        return Denial(DenialCode.INSTRUMENT_NOT_TRADABLE, "The venue does not let the instrument be traded.")
    return None


def exposure_known(_snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """What the account holds and has on order must be known."""
    return _exposure_unknown() if worst.opening is None else None


def short_sale(snapshot: Snapshot, proposal: Proposal, worst: Worst) -> Denial | None:
    """What is sold without being held must be shortable."""
    if worst.opening is None:
        return _exposure_unknown()
    if proposal.side is Side.BUY or worst.only_reduces or snapshot.shortable:
        return None
    return Denial(
        DenialCode.SHORT_NOT_ALLOWED,
        f"{plain(worst.opening)} of {plain(proposal.quantity)} would be sold short, which the venue does not allow.",
    )


def unknown_outcome(snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """While the outcome of an order of the account is not known, it takes no new risk."""
    if worst.only_reduces or snapshot.unknown_orders == 0:
        return None
    if snapshot.unknown_orders is None:
        return Denial(DenialCode.OUTCOME_UNKNOWN, "Whether the account has orders without a known outcome is unclear.")
    return Denial(DenialCode.OUTCOME_UNKNOWN, f"Orders without a known outcome: {snapshot.unknown_orders}.")


def restriction(snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """The venue must let the account trade."""
    if snapshot.is_restricted:
        return Denial(DenialCode.ACCOUNT_RESTRICTED, "The venue does not let the account trade.")
    if snapshot.is_restricted is None and not worst.only_reduces:
        return Denial(DenialCode.MEANS_UNKNOWN, "Whether the venue lets the account trade is not known.")
    return None


def open_trades(snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """Distinct instruments with a position or an open order are limited; one that is open already is no new one."""
    others, limit = snapshot.other_trades, snapshot.max_open_trades
    if worst.only_reduces or snapshot.position or snapshot.open_buys or snapshot.open_sells:
        return None
    if worst.opening is None or others is None or others < 0:
        return _exposure_unknown()
    if limit is None or limit < 0:
        return _limits_unknown("open trades")
    if others + 1 > limit:
        return Denial(DenialCode.OPEN_TRADE_LIMIT, f"Open trades would be {others + 1}; the limit is {limit}.")
    return None


def position_value(snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """The value of the position is limited, at worst."""
    if worst.only_reduces:
        return None
    limit = snapshot.max_position_value
    if worst.exposure is None:
        return _not_assessed(snapshot, worst)
    if limit is None or limit < 0:
        return _limits_unknown("the value of a position")
    if worst.exposure > limit:
        return Denial(
            DenialCode.POSITION_LIMIT, f"The position could reach {plain(worst.exposure)}; the limit is {plain(limit)}."
        )
    return None


def concentration(snapshot: Snapshot, _proposal: Proposal, worst: Worst) -> Denial | None:
    """The position's share of the account's equity is limited, at worst."""
    if worst.only_reduces:
        return None
    exposure, limit, equity = worst.exposure, snapshot.max_concentration, snapshot.equity
    if exposure is None:
        return _not_assessed(snapshot, worst)
    if limit is None or limit < 0:
        return _limits_unknown("concentration")
    if equity is None or equity <= 0 or not _means_are_fresh(snapshot):
        return _means_unknown(snapshot)
    if exposure * ONE > limit * equity:
        share = plain(-(-exposure * ONE // equity))
        return Denial(
            DenialCode.CONCENTRATION_LIMIT,
            f"The position could reach {plain(exposure)}, a share of {share} of the equity of {plain(equity)}; "
            f"the limit is {plain(limit)}.",
        )
    return None


def buying_power(snapshot: Snapshot, proposal: Proposal, worst: Worst) -> Denial | None:
    """What the order may cost must be there, beside what earlier orders may cost."""
    if worst.only_reduces:
        return None
    power, reserved = snapshot.buying_power, snapshot.reserved
    if power is None or reserved is None or reserved < 0 or not _means_are_fresh(snapshot):
        return _means_unknown(snapshot)
    if worst.cost is None:
        return _not_assessed(snapshot, worst)
    available = power - reserved + proposal.replaced_reserved
    if worst.cost > available:
        return Denial(
            DenialCode.INSUFFICIENT_BUYING_POWER,
            f"The order may cost {plain(worst.cost)}; available are {plain(available)} "
            f"({plain(power)} of buying power, {plain(reserved)} reserved).",
        )
    return None


def order_rate(snapshot: Snapshot, _proposal: Proposal, _worst: Worst) -> Denial | None:
    """Orders a minute are limited, reducing ones too: what runs away must stop."""
    limit = snapshot.max_orders_per_minute
    if limit is None or limit < 0:
        return _limits_unknown("orders a minute")
    if next_reset(now=snapshot.now, reset_at=snapshot.rate_reset_at, per_minute=limit) is None:
        return Denial(DenialCode.ORDER_RATE_LIMIT, f"The limit of {limit} orders a minute is reached.")
    return None


CHECKS: tuple[tuple[str, Check], ...] = (
    ("clock", clock),
    ("kill_switch", kill_switch),
    ("price", price),
    ("venue_open", venue_open),
    ("instrument", instrument),
    ("exposure", exposure_known),
    ("short_sale", short_sale),
    ("unknown_outcome", unknown_outcome),
    ("restriction", restriction),
    ("open_trades", open_trades),
    ("position", position_value),
    ("concentration", concentration),
    ("buying_power", buying_power),
    ("order_rate", order_rate),
)


def is_fresh(at: int | None, max_age: int, snapshot: Snapshot) -> bool:
    """Tell whether a time is known, not too old, and not in the future beyond what clocks may differ."""
    return at is not None and -snapshot.max_clock_offset <= snapshot.now - at <= max_age


def clock_is_fresh(snapshot: Snapshot) -> bool:
    """Tell whether the venue's clock is known, not too old, and the venue has not opened or closed since."""
    turns_at = snapshot.clock_turns_at
    has_turned = turns_at is not None and turns_at <= snapshot.now
    return not has_turned and is_fresh(snapshot.clock_asked_at, snapshot.clock_max_age, snapshot)


def _means_are_fresh(snapshot: Snapshot) -> bool:
    return is_fresh(snapshot.means_as_of, snapshot.means_max_age, snapshot)


def _not_assessed(snapshot: Snapshot, worst: Worst) -> Denial:
    return _exposure_unknown() if worst.opening is None else Denial(DenialCode.PRICE_UNKNOWN, _quote_text(snapshot))


def _exposure_unknown() -> Denial:
    return Denial(DenialCode.EXPOSURE_UNKNOWN, "What the account holds and has on order is not known.")


def _limits_unknown(what: str) -> Denial:
    return Denial(DenialCode.LIMITS_UNKNOWN, f"The limit of {what} is not known.")


def _quote_text(snapshot: Snapshot) -> str:
    if snapshot.bid is None or snapshot.ask is None or snapshot.quote_venue_at is None:
        return "There is no quote with both sides."
    return f"The quote {plain(snapshot.bid)} / {plain(snapshot.ask)} is not in order."


def _means_unknown(snapshot: Snapshot) -> Denial:
    if snapshot.means_as_of is None or _means_are_fresh(snapshot):
        return Denial(DenialCode.MEANS_UNKNOWN, "The account's means are not known.")
    return Denial(DenialCode.MEANS_UNKNOWN, f"The account's means are {_age(snapshot.means_as_of, snapshot)} old.")


def _age(at: int, snapshot: Snapshot) -> str:
    return _seconds(snapshot.now - at)


def _seconds(interval: int) -> str:
    return f"{plain(interval * (ONE // SECOND))} s"
