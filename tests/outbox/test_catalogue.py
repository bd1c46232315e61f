"""The catalogue is what the rooms emit; each type has a schema, and an example that fits it."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import gettext_lazy

from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.outbox import catalogue
from apps.outbox.catalogue import define, event_types
from apps.outbox.models import OutboxEvent
from apps.outbox.services import emit
from apps.outbox.types import NewEvent
from tests.event_schemas import EventDoesNotFit, check

ROOT = Path(__file__).resolve().parents[2]
TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
# Names in events.py that go into the audit log alone, or name an incident.
NOT_EMITTED = {
    "accounts.synced": "one leaf for a whole sync",
    "connection.credentials_rotated": "the installation's key has changed, nothing of the connection",
    "connection.hook_received": "a hint; what came of it is told",
    "connection.hook_replayed": "likewise",
    "connection.sync_failed": "names an incident",
    "connection.sync_requested": "the run tells of itself when it ends",
    "dead_letters.clearing_requested": "staff's, of the installation",
    "dead_letters.clearing_stopped": "likewise",
    "holding.created": "holdings change with every price: they are in the sync's leaf alone",
    "holding.removed": "likewise",
    "holding.updated": "likewise",
    "job.dead": "names an incident",
    "verification.findings": "of the installation, not of a tenant",
    "verification.requested": "likewise",
    "webhook_delivery.retried": "a delivery about a delivery would have no end",
    "webhook_endpoint.deliveries_retried": "likewise",
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


@pytest.mark.no_database
def test_every_event_of_the_rooms_is_in_the_catalogue_and_nothing_else() -> None:
    assert _names_in_events_modules() - set(NOT_EMITTED) == set(event_types())


@pytest.mark.no_database
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
    } <= set(event_types())


@pytest.mark.no_database
def test_every_type_says_when_it_happens_and_every_field_what_it_holds() -> None:
    assert [name for name, found in event_types().items() if not str(found.description).endswith(".")] == []
    silent = [
        f"{name}: {path}"
        for name in event_types()
        for path, part in _fields(dict(catalogue.schema(name)))
        if not part.get("description", "").endswith(".")
    ]
    assert silent == []


def _fields(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    own = [(f"{path}/{field}", part) for field, part in schema.get("properties", {}).items()]
    deeper = [
        found for where, part in own for option in (part, *part.get("anyOf", ())) for found in _fields(option, where)
    ]
    return own + deeper


@pytest.mark.no_database
def test_every_example_fits_its_schema() -> None:
    for name in event_types():
        check(name, json.dumps(catalogue.example(name)))


@pytest.mark.no_database
def test_an_orders_schema_is_complete_in_itself() -> None:
    schema = catalogue.schema("order.filled")
    assert list(schema)[:5] == ["$schema", "$id", "title", "description", "type"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "urn:finops:event:order.filled:1"
    assert schema["description"] == "An order was executed in full; `fill` is the last execution."
    assert list(schema["properties"])[:3] == ["id", "client_order_id", "account_id"]
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["properties"]["side"]["enum"] == ["buy", "sell"]
    assert schema["properties"]["limit_price"]["anyOf"][1] == {"type": "null"}
    fill = schema["properties"]["fill"]
    assert (fill["description"], fill["properties"]["fee"]["examples"]) == ("The execution.", ["0"])
    assert "$ref" not in json.dumps(schema)
    assert "additionalProperties" not in json.dumps(schema)  # a field may be added


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"colour": "red"}, "colour"),
        ({"id": "1"}, "id: "),
        ({"side": "hold"}, "side: "),
        ({"quantity": 10}, "quantity: "),
        ({"quantity": "10.0"}, "quantity: "),
        ({"quantity": "1e1"}, "quantity: "),
        ({"quantity": "-0"}, "quantity: "),
        ({"quantity": "01"}, "quantity: "),
        ({"limit_price": ""}, "limit_price: "),
        ({"version": "3"}, "version: "),
        ({"created_at": "2026-03-02 14:30"}, "created_at: "),
        ({"denial": {"code": "x"}}, "denial: "),
        ({"fill": {}}, "fill: "),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(EventDoesNotFit, match=re.escape(where)):
        check("order.filled", json.dumps({**catalogue.example("order.filled"), **change}))


@pytest.mark.no_database
def test_a_field_that_is_missing_is_named() -> None:
    told = {field: value for field, value in catalogue.example("order.filled").items() if field != "fill"}
    with pytest.raises(EventDoesNotFit, match='"fill" is a required property'):
        check("order.filled", json.dumps(told))


@pytest.mark.no_database
def test_a_type_is_defined_once() -> None:
    with pytest.raises(ValueError, match=r"the event type order.filled is defined twice"):
        define("order.filled", dict, gettext_lazy("Once more."))


def test_an_event_that_does_not_fit_is_not_written(acme: Any, now: Any) -> None:
    actor = system_actor("tests", tenant_id=acme.id)
    data = {**catalogue.example("order.filled"), "colour": "red"}
    with write_scope(actor):
        before = OutboxEvent.objects.count()
        with pytest.raises(EventDoesNotFit, match="colour"):
            emit(
                NewEvent(type="order.filled", entity_type="order", entity_id=new_id(), data=data), actor=actor, now=now
            )
        with pytest.raises(LookupError, match=r"order\.exploded is in no catalogue"):
            emit(
                NewEvent(type="order.exploded", entity_type="order", entity_id=new_id(), data={}), actor=actor, now=now
            )
        assert OutboxEvent.objects.count() == before
