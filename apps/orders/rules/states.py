"""Which state of an order may follow which: the table of docs/architecture.md, "Order life"."""

from collections.abc import Mapping

from apps.orders.enums import OrderStatus as S

_VENUE_STATES = frozenset(
    {S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.EXPIRED, S.REPLACED, S.DONE_FOR_DAY, S.REJECTED, S.ACCEPTED, S.HELD}
)

EDGES: Mapping[S, frozenset[S]] = {
    S.DRAFT: frozenset({S.DENIED, S.APPROVED}),
    # Denied after all: a kill switch, a cancel before it was sent, an approval that has grown old.
    S.APPROVED: frozenset({S.SUBMITTING, S.DENIED}),
    # Back to approved: it provably was not carried out, so everything that may stop an order is looked at again.
    S.SUBMITTING: frozenset({S.ACCEPTED, S.REJECTED, S.UNKNOWN, S.APPROVED}),
    S.UNKNOWN: _VENUE_STATES | {S.LOST},
    S.ACCEPTED: _VENUE_STATES - {S.ACCEPTED},
    S.HELD: _VENUE_STATES - {S.HELD},
    S.PARTIALLY_FILLED: frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REPLACED, S.DONE_FOR_DAY}),
}

# States with an end before them: their orders count as risk.
OPEN_STATES = frozenset({S.APPROVED, S.SUBMITTING, S.UNKNOWN, S.ACCEPTED, S.HELD, S.PARTIALLY_FILLED})
TERMINAL_STATES = frozenset(S) - OPEN_STATES - {S.DRAFT}


def may_follow(before: S, after: S) -> bool:
    """Tell whether an order may go from one state to another."""
    return after in EDGES.get(before, frozenset())
