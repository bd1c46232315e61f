"""The risk gate: every check over one snapshot; the first that denies decides."""

from apps.orders.enums import Outcome
from apps.orders.rules.checks import CHECKS, clock_is_fresh, is_fresh
from apps.orders.rules.rate import next_reset
from apps.orders.rules.snapshot import CheckResult, Decision, Input, Proposal, Snapshot
from apps.orders.rules.valuation import assess

# The same object for every order that passes, so that it can be encoded once.
ALL_PASSED = tuple(CheckResult(name) for name, _check in CHECKS)


def decide(snapshot: Snapshot, proposal: Proposal) -> Decision:
    """Approve or deny the proposal."""
    worst = assess(snapshot, proposal)
    denied: CheckResult | None = None
    results = list(ALL_PASSED)
    for index, (name, check) in enumerate(CHECKS):
        denial = check(snapshot, proposal, worst)
        if denial is not None:
            results[index] = CheckResult(name, denial.code, denial.detail)
            denied = denied or results[index]
    if denied is not None:
        return Decision(
            outcome=Outcome.DENIED,
            code=denied.code,
            detail=denied.detail,
            checks=tuple(results),
            cost=0,
            rate_reset_at=snapshot.rate_reset_at,
        )
    cost, limit = worst.cost, snapshot.max_orders_per_minute
    assert cost is not None and limit is not None, "the checks have seen both"
    return Decision(
        outcome=Outcome.APPROVED,
        code=None,
        detail="",
        checks=ALL_PASSED,
        cost=cost,
        rate_reset_at=next_reset(now=snapshot.now, reset_at=snapshot.rate_reset_at, per_minute=limit),
    )


def stale_inputs(snapshot: Snapshot) -> frozenset[Input]:
    """Return what must be asked for again before the gate can approve anything."""
    quoted_at = _earlier(snapshot.quote_venue_at, snapshot.quote_received_at)
    fresh = {
        Input.QUOTE: is_fresh(quoted_at, snapshot.quote_max_age, snapshot),
        Input.CLOCK: clock_is_fresh(snapshot),
        Input.MEANS: is_fresh(snapshot.means_as_of, snapshot.means_max_age, snapshot),
    }
    return frozenset(name for name, is_so in fresh.items() if not is_so)


def _earlier(first: int | None, second: int | None) -> int | None:
    """Return the earlier of two times, None when one is not known."""
    return None if first is None or second is None else min(first, second)
