"""The state table: each of its edges, and none of all others."""

from itertools import product

import pytest

from apps.orders.enums import OrderStatus as S
from apps.orders.rules.states import EDGES, OPEN_STATES, TERMINAL_STATES, may_follow

pytestmark = pytest.mark.no_database

TABLE = """
draft             denied approved
approved          submitting denied
submitting        accepted rejected unknown approved
unknown           accepted held partially_filled filled canceled expired replaced done_for_day rejected lost
accepted          held partially_filled filled canceled expired replaced done_for_day rejected
held              accepted partially_filled filled canceled expired replaced done_for_day rejected
partially_filled  filled canceled expired replaced done_for_day rejected
done_for_day      accepted held partially_filled filled canceled expired replaced rejected
"""
ROWS = [line.split() for line in TABLE.split("\n") if line]
ALLOWED = {(S(row[0]), S(after)) for row in ROWS for after in row[1:]}


@pytest.mark.parametrize(("before", "after"), list(product(S, S)), ids=str)
def test_a_state_may_follow_another_where_the_table_says_so_and_nowhere_else(before: S, after: S):
    assert may_follow(before, after) is ((before, after) in ALLOWED)


def test_an_order_is_a_draft_open_or_at_its_end():
    assert {
        S.APPROVED,
        S.SUBMITTING,
        S.UNKNOWN,
        S.ACCEPTED,
        S.HELD,
        S.PARTIALLY_FILLED,
        S.DONE_FOR_DAY,
    } == OPEN_STATES
    assert {
        S.DENIED,
        S.LOST,
        S.FILLED,
        S.CANCELED,
        S.EXPIRED,
        S.REPLACED,
        S.REJECTED,
    } == TERMINAL_STATES
    assert {S.DRAFT} | OPEN_STATES | TERMINAL_STATES == set(S)


def test_nothing_follows_an_end_and_every_open_state_leads_to_one():
    assert not TERMINAL_STATES & EDGES.keys()
    for state in OPEN_STATES:
        reached, new = {state}, {state}
        while new:
            new = {after for before in new for after in EDGES.get(before, ())} - reached
            reached |= new
        assert reached & TERMINAL_STATES, state
