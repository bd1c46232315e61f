"""The event types that a client can ask for, and what each brings."""

from typing import Any

import jsonschema_rs
import pytest

from apps.outbox import catalogue
from apps.outbox.catalogue import event_types

URL = "/api/v1/webhooks/event-types"


def test_the_event_types_are_those_of_the_catalogue(acme: Any, acme_admin: Any) -> None:
    first = acme_admin.get(URL, {"limit": 20}).json()
    rest = acme_admin.get(URL, {"cursor": first["next_cursor"], "limit": 200}).json()
    assert rest["next_cursor"] is None
    found = first["data"] + rest["data"]
    assert [entry["type"] for entry in found] == sorted(event_types())
    described = {entry["type"]: entry["description"] for entry in found}
    assert described["order.filled"] == "An order was executed in full; `fill` is the last execution."


def test_a_type_has_its_version_its_schema_and_an_example_that_fits(acme: Any, acme_admin: Any) -> None:
    shown = acme_admin.get(f"{URL}/kill_switch.engaged").json()
    assert shown == {
        "type": "kill_switch.engaged",
        "version": 1,
        "description": "Trading was stopped.",
        "schema": catalogue.schema("kill_switch.engaged"),
        "example": {
            "engaged": True,
            "reason": "The feed has gone mad.",
            "changed_by": "ada@acme.example",
            "changed_at": "2026-03-02T14:30:00Z",
            "version": 1,
            "account_id": None,
        },
    }
    jsonschema_rs.Draft202012Validator(shown["schema"], validate_formats=True).validate(shown["example"])
    assert shown in acme_admin.get(URL, {"limit": 200}).json()["data"]


def test_a_schema_says_each_field_as_people_read_it(acme: Any, acme_admin: Any) -> None:
    schema = acme_admin.get(f"{URL}/order.filled").json()["schema"]
    side = {"description": "Whether it buys or sells.", "enum": ["buy", "sell"], "type": "string"}
    assert schema["properties"]["side"] == side
    assert list(schema["properties"])[-2:] == ["fill", "position"]


@pytest.mark.parametrize("name", ["order.exploded", "order", "order.*", "ORDER.FILLED"])
def test_what_is_in_no_catalogue_is_not_found(acme: Any, acme_admin: Any, name: str) -> None:
    refused = acme_admin.get(f"{URL}/{name}")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
