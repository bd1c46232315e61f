"""The risk gate: every check over one snapshot; the first that denies decides."""

from apps.orders.enums import Outcome
from apps.orders.rules.checks import CHECKS, cost, is_fresh
from apps.orders.rules.rate import next_reset
from apps.orders.rules.snapshot import CheckResult, Decision, Input, Proposal, Snapshot

# The same object for every order that passes, so that it can be encoded once.
ALL_PASSED = tuple(CheckResult(name) for name, _check in CHECKS)


def decide(snapshot: Snapshot, proposal: Proposal) -> Decision:
    """Approve or deny the proposal."""
    denied: CheckResult | None = None
    results = list(ALL_PASSED)
    for index, (name, check) in enumerate(CHECKS):
        denial = check(snapshot, proposal)
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
    needed, limit = cost(snapshot, proposal), snapshot.max_orders_per_minute
    assert needed is not None and limit is not None, "the checks have seen both"
    return Decision(
        outcome=Outcome.APPROVED,
        code=None,
        detail="",
        checks=ALL_PASSED,
        cost=needed,
        rate_reset_at=next_reset(now=snapshot.now, reset_at=snapshot.rate_reset_at, per_minute=limit),
    )


def stale_inputs(snapshot: Snapshot) -> frozenset[Input]:
    """Return what must be asked for again before the gate can approve anything; nothing while a switch is engaged."""
    if snapshot.engaged_switches:
        return frozenset()
    ages = {
        Input.QUOTE: (min_known(snapshot.quote_venue_at, snapshot.quote_received_at), snapshot.quote_max_age),
        Input.CLOCK: (snapshot.clock_received_at, snapshot.clock_max_age),
        Input.MEANS: (snapshot.means_as_of, snapshot.means_max_age),
    }
    return frozenset(name for name, (at, max_age) in ages.items() if not is_fresh(at, max_age, snapshot))


def min_known(first: int | None, second: int | None) -> int | None:
    """Return the earlier of two times, None when one is not known."""
    return None if first is None or second is None else min(first, second)
