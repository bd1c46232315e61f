"""A subscription means what it says."""

import pytest

from apps.webhooks.subscriptions import matches, unknown_types

pytestmark = pytest.mark.no_database


@pytest.mark.parametrize(
    ("patterns", "type_", "expected"),
    [
        ([], "order.filled", True),
        (["*"], "order.filled", True),
        (["order.filled"], "order.filled", True),
        (["order.*"], "order.filled", True),
        (["account.*", "order.filled"], "order.filled", True),
        (["order.denied"], "order.filled", False),
        (["orders.*"], "order.filled", False),
        (["order"], "order.filled", False),
        (["order."], "order.filled", False),
        (["*.filled"], "order.filled", False),
        (["order.fill*"], "order.filled", False),
    ],
)
def test_matching(patterns: list[str], type_: str, expected: bool) -> None:
    assert matches(patterns, type_) is expected


def test_patterns_that_match_nothing_are_unknown() -> None:
    known = ["*", "order.*", "webhook_endpoint.*", "order.filled", "webhook.test"]
    unknown = ["order.exploded", "orders.*", "order", "*.filled", "", "**", "ORDER.FILLED", "order.filled "]
    assert unknown_types([*known, *unknown]) == unknown
