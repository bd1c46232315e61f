"""Which state of an order may follow which: the table of docs/architecture.md, "Order life"."""

from collections.abc import Mapping

from apps.orders.enums import OrderStatus as S

# Nothing is known of the order at the venue.
BEFORE_VENUE = frozenset({S.APPROVED, S.SUBMITTING, S.UNKNOWN})
# The venue has it and may still do something with it, perhaps on another day (docs/adr/0012-done-for-the-day.md).
AT_VENUE = frozenset({S.ACCEPTED, S.HELD, S.PARTIALLY_FILLED, S.DONE_FOR_DAY})
# How it may end there; what was executed before stays.
ENDS_AT_VENUE = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REPLACED, S.REJECTED})

# States with an end before them: their orders count as risk.
OPEN_STATES = BEFORE_VENUE | AT_VENUE
TERMINAL_STATES = frozenset(S) - OPEN_STATES - {S.DRAFT}

EDGES: Mapping[S, frozenset[S]] = {
    S.DRAFT: frozenset({S.DENIED, S.APPROVED}),
    # Denied after all: a kill switch, a cancel before it was sent, what the gate says of it by then.
    S.APPROVED: frozenset({S.SUBMITTING, S.DENIED}),
    # Back to approved: it provably was not carried out, so everything that may stop an order is looked at again.
    S.SUBMITTING: frozenset({S.ACCEPTED, S.REJECTED, S.UNKNOWN, S.APPROVED}),
    S.UNKNOWN: AT_VENUE | ENDS_AT_VENUE | {S.LOST},
    S.ACCEPTED: (AT_VENUE | ENDS_AT_VENUE) - {S.ACCEPTED},
    S.HELD: (AT_VENUE | ENDS_AT_VENUE) - {S.HELD},
    S.PARTIALLY_FILLED: ENDS_AT_VENUE | {S.DONE_FOR_DAY},
    S.DONE_FOR_DAY: (AT_VENUE | ENDS_AT_VENUE) - {S.DONE_FOR_DAY},
}


def may_follow(before: S, after: S) -> bool:
    """Tell whether an order may go from one state to another."""
    return after in EDGES.get(before, frozenset())
