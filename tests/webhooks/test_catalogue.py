"""The catalogue is what the rooms emit, and a subscription means what it says."""

import importlib
import re
from pathlib import Path

import pytest

from apps.webhooks.catalogue import EVENT_TYPES, matches, unknown_types

pytestmark = pytest.mark.no_database

ROOT = Path(__file__).resolve().parents[2]
TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
# Names in events.py that go into the audit log alone, or name an incident.
NOT_EMITTED = {
    "accounts.synced": "one leaf for a whole sync",
    "connection.credentials_rotated": "the installation's key has changed, nothing of the connection",
    "connection.sync_failed": "names an incident",
    "connection.sync_requested": "the run tells of itself when it ends",
    "holding.created": "holdings change with every price: they are in the sync's leaf alone",
    "holding.removed": "likewise",
    "holding.updated": "likewise",
    "job.dead": "names an incident",
    "webhook_delivery.retried": "a delivery about a delivery would have no end",
    "webhook_endpoint.recovered": "likewise",
    "webhook_endpoint.tested": "likewise",
    "webhook_secret.resealed": "the installation's key has changed, nothing of the endpoint",
}


def _names_in_events_modules() -> set[str]:
    names = set()
    for path in sorted((ROOT / "apps").glob("*/events.py")):
        module = importlib.import_module(f"apps.{path.parent.name}.events")
        values = [value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)]
        names |= {value for value in values if TYPE.fullmatch(value)}
    return names


def test_every_event_of_the_rooms_is_in_the_catalogue_and_nothing_else() -> None:
    assert _names_in_events_modules() - set(NOT_EMITTED) == set(EVENT_TYPES)


def test_the_types_that_the_contract_names_are_there() -> None:
    assert {
        "order.submitted",
        "order.filled",
        "order.denied",
        "transaction.created",
        "transaction.updated",
        "transaction.removed",
        "connection.synced",
        "connection.failed",
    } <= set(EVENT_TYPES)


def test_every_type_says_when_it_happens() -> None:
    assert [name for name, text in EVENT_TYPES.items() if not str(text).endswith(".")] == []


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
