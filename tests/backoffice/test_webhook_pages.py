"""The page of event types, and the one that says why a receiver refuses our signature."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import staff_scope
from apps.outbox.catalogue import event_types
from apps.outbox.models import OutboxEvent
from apps.webhooks.services import NewEndpoint
from apps.webhooks.signing import new_key, shown, sign
from apps.webhooks.types import SigningKey
from tests.backoffice.desk import Trade
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.test_pages import get
from tests.backoffice.world import World
from tests.factories.users import make_user
from tests.factories.webhooks import make_endpoint

TYPES = "/admin/webhooks/endpoint/event-types/"
CHECK = "/admin/webhooks/endpoint/{}/do/check-signature/"
BODY = '{"type":"order.outcome_unknown",\n "data":{}}'


@pytest.fixture
def trade(world: World) -> Trade:
    return world.acme.trade


def test_every_type_is_listed_and_the_first_is_shown(viewing_client: Any):
    text = get(viewing_client, TYPES)
    assert {name for name in event_types() if f'href="{TYPES}?type={name}"' not in text} == set()
    assert "<h2><code>account.created</code></h2>" in text
    assert f"{len(event_types())} types" in text


def test_a_type_is_shown_with_its_fields_an_example_and_its_schema(viewing_client: Any):
    text = get(viewing_client, f"{TYPES}?type=order.filled")
    assert "Event type, version 1" in text
    assert "An order was executed in full; <code>fill</code> is the last execution." in text
    assert '<code class="fo-field-name"><span class="fo-quiet">fill.</span>price</code>' in text
    assert '<span class="fo-kind">decimal</span>' in text
    assert '"client_order_id": ' in text
    assert '"$id": "urn:finops:event:order.filled:1"' in text
    assert 'href="/admin/webhooks/delivery/?event_type=order.filled"' in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("order.filled", ["order.filled"]),
        ("kill_switch RELEASED", ["kill_switch.released"]),
        ("asks of its members", ["tenant.policy_changed"]),
        ("liquidity no-such-word", []),
    ],
)
def test_types_are_found_by_name_meaning_and_field(viewing_client: Any, query: str, found: list[str]):
    text = get(viewing_client, f"{TYPES}?q={query}")
    assert [name for name in event_types() if f"{TYPES}?type={name}&" in text] == found
    assert ("No type matches" in text) == (not found)


def test_the_types_are_for_who_may_see_endpoints(database: str):
    user = make_user("newcomer", is_staff=True)
    client = open_session(user, enrol(user))
    assert client.get(TYPES).status_code == 403
    assert TYPES not in get(client, "/admin/")


def test_the_types_are_a_click_from_the_menu_an_endpoint_and_a_delivery(staff_client: Any, trade: Trade):
    assert f'href="{TYPES}"' in get(staff_client, "/admin/")
    assert f'href="{TYPES}"' in get(staff_client, f"/admin/webhooks/endpoint/{trade.endpoint.pk}/change/")
    page = get(staff_client, f"/admin/webhooks/delivery/{trade.delivery.pk}/change/")
    assert f'href="{TYPES}?type=order.outcome_unknown"' in page


def check(client: Any, made: NewEndpoint, **values: str) -> str:
    response = client.post(CHECK.format(made.endpoint.pk), values)
    assert (response.status_code, "no-store" in response["Cache-Control"]) == (200, True)
    return unescape(response.content.decode())


def headers(trade: Trade, key: SigningKey, **late: int) -> str:
    """Return the headers of a delivery as its receiver would paste them."""
    at = int((clock.now() - timedelta(**late)).timestamp())
    signature = sign(str(trade.delivery.pk), at, BODY.encode(), [key])
    return f"Host: acme\r\nwebhook-id: {trade.delivery.pk}\r\nwebhook-timestamp: {at}\r\nwebhook-signature: {signature}"


def done() -> tuple[int, int]:
    with staff_scope():
        return AuditEntry.objects.count(), OutboxEvent.objects.count()


def test_a_request_is_told_step_by_step_and_nothing_of_it_is_kept(viewing_client: Any, trade: Trade, caplog: Any):
    made = make_endpoint(trade.desk.tenant)
    before, key = done(), new_key()
    assert "Why does the receiver refuse our signature?" in check(viewing_client, made)
    # A browser sends the line's end of a text area as CR LF; the signature is over what was pasted.
    pasted = {"headers": headers(trade, key), "body": BODY.replace("\n", "\r\n")}
    steps = check(viewing_client, made, **pasted, secret=shown(key))
    assert "The signature does not hold" in steps
    for code in ("secret_is_another_one", "headers_are_there", "timestamp_is_fresh", "signature_matches"):
        assert f"<code>{code}</code>" in steps, code
    assert shown(key) not in steps
    assert done() == before
    assert shown(key) not in caplog.text
    assert "webhook-signature" not in caplog.text


def test_without_a_secret_the_endpoints_own_are_tried(viewing_client: Any, trade: Trade):
    made = make_endpoint(trade.desk.tenant)
    text = check(viewing_client, made, headers=headers(trade, new_key(), hours=1), body=BODY)
    assert "<code>timestamp_is_old</code>" in text
    assert "<code>id_is_unknown</code>" in text  # it went to another endpoint
    assert "<code>signature_does_not_match</code>" in text
    assert made.secret not in text


def test_a_form_without_headers_says_what_to_paste(viewing_client: Any, trade: Trade):
    made = make_endpoint(trade.desk.tenant)
    text = check(viewing_client, made, headers="", body=BODY, secret="whsec_typed")
    assert "Paste at least the three that begin with webhook-." in text
    assert "fo-verdict" not in text
    assert "whsec_typed" not in text
