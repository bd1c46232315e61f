"""Secrets and personal data in every place that a request has: none is in a log line, a refusal or an audit leaf."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from apps.audit.models import AuditEntry
from apps.audit.services import record
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.logs import ContextFilter, JsonFormatter, RedactionFilter
from apps.core.scope import tenant_scope, write_scope
from apps.tenants.enums import ApiKeyMode
from apps.tenants.secrets import new_secret

BASE62 = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", min_size=24, max_size=40)
DIGITS = st.text("0123456789", min_size=11, max_size=11)


def with_check_digit(digits: str) -> str:
    """Return a card number: Luhn's check digit is the last."""
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def german_iban(account: str) -> str:
    """Return an IBAN with its check digits (ISO 13616)."""
    account = account.ljust(18, "7")
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


# What is known by its look, wherever it stands.
RECOGNISED = st.one_of(
    st.sampled_from(ApiKeyMode).map(new_secret),
    BASE62.map(lambda text: "for_" + text),
    BASE62.map(lambda text: "foi_" + text),
    BASE62.map(lambda text: "whsec_" + text),
    BASE62.map(lambda text: "test_tkn_" + text),
    BASE62.map(lambda text: f"eyJ{text}.eyJ{text}.{text}"),
    BASE62.map(lambda text: f"{text}@customer.example.com"),
    DIGITS.map(lambda text: with_check_digit("4929" + text)),
    DIGITS.map(german_iban),
)
# What nothing gives away (passwords, one-time codes, credentials of providers): kept where values belong.
UNRECOGNISED = BASE62.map(lambda text: f"zq{text}")

NAMED_PLACES = ["path", "record", "query name", "name in body", "X-Request-ID", "Host"]
VALUE_PLACES = [
    "query",
    "cursor",
    "Authorization",
    "bearer",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Cookie",
    "User-Agent",
    "X-Forwarded-For",
    "Referer",
    "traceparent",
    "Accept",
    "Content-Type",
    "Origin",
    "value in body",
    "choice in body",
    "deep in body",
    "object for a text",
    "malformed body",
    "no object",
    "password",
    "otp",
    "credentials",
]
KEYS, TOKEN = "/api/v1/api-keys", "/api/v1/auth/token"


class Desk(NamedTuple):
    """A client, its tenant's id, and what was logged since one last looked."""

    client: APIClient
    tenant_id: Any
    lines: StringIO


@pytest.fixture
def desk(acme_admin: APIClient, acme) -> Iterator[Desk]:
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(ContextFilter())
    handler.addFilter(RedactionFilter())
    logging.getLogger().addHandler(handler)
    yield Desk(acme_admin, acme.id, lines)
    logging.getLogger().removeHandler(handler)


def ask(client: APIClient, place: str, secret: str) -> Any:
    """Send a request that has the secret in this place."""
    bodies = {
        "name in body": (KEYS, {secret: 1}),
        "value in body": (KEYS, {"name": secret, "mode": "test", "scopes": ["tenant:read"]}),
        "choice in body": (KEYS, {"name": "a", "mode": secret, "scopes": [secret]}),
        "deep in body": (KEYS, {"name": [{"a": {"password": [secret]}}], "mode": {"x": secret}}),
        "object for a text": (TOKEN, {"username": "a", "password": {"value": secret}, "tenant": "acme"}),
        "no object": (KEYS, [secret]),
        "password": (TOKEN, {"username": "acme", "password": secret, "tenant": "acme"}),
        "otp": (TOKEN, {"username": "acme", "password": "a", "tenant": "acme", "otp": secret}),
        "credentials": ("/api/v1/connections", {"provider": "nobody", "credentials": {"access_token": secret}}),
    }
    if place in bodies:
        path, body = bodies[place]
        return client.post(path, body, format="json", headers={"Idempotency-Key": f"leak-{place}"})
    if place == "malformed body":
        return client.generic("POST", KEYS, f'{{"password": "{secret}", oops', content_type="application/json")
    if place == "Content-Type":
        return client.generic("POST", KEYS, secret, content_type=f"text/{secret}")
    if place == "bearer":
        return APIClient(raise_request_exception=False).get(KEYS, headers={"Authorization": f"Bearer {secret}"})
    paths = {
        "path": f"/api/v1/{quote(secret)}",
        "record": f"{KEYS}/{quote(secret)}",
        "query name": f"{KEYS}?{quote(secret)}=1",
        "query": f"{KEYS}?limit={quote(secret)}&password={quote(secret)}",
        "cursor": f"{KEYS}?cursor={quote(secret)}",
    }
    if place in paths:
        return client.get(paths[place])
    return client.patch(f"{KEYS}/nothing", {}, format="json", headers={place: secret})


def assert_no_trace(desk: Desk, secret: str, response: Any) -> None:
    logged = desk.lines.getvalue()
    assert secret not in logged, logged
    if response.status_code >= 400:
        told = response.content.decode() + str(response.headers)
        assert secret not in told, told
    with tenant_scope(desk.tenant_id):
        leaves = json.dumps(list(AuditEntry.objects.values()), default=str)
    assert secret not in leaves, leaves


def leaves_no_trace(desk: Desk, place: str, secret: str) -> None:
    desk.lines.seek(0)
    desk.lines.truncate()
    with transaction.atomic():
        assert_no_trace(desk, secret, ask(desk.client, place, secret))
        transaction.set_rollback(True)


@pytest.mark.parametrize("place", NAMED_PLACES + VALUE_PLACES)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=RECOGNISED)
def test_what_looks_like_a_secret_leaves_no_trace(desk: Desk, place: str, secret: str):
    leaves_no_trace(desk, place, secret)


@pytest.mark.parametrize("place", [place for place in VALUE_PLACES if place != "value in body"])
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=UNRECOGNISED)
def test_what_looks_like_nothing_leaves_no_trace_where_values_belong(desk: Desk, place: str, secret: str):
    leaves_no_trace(desk, place, secret)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=RECOGNISED, other=UNRECOGNISED)
def test_a_leaf_keeps_neither_what_looks_like_a_secret_nor_what_is_named_so(desk: Desk, acme, secret: str, other: str):
    actor = system_actor("tests", tenant_id=acme.id)
    changes = {"name": [None, f"is {secret}."], "rows": [[], [{"note": secret, "api_key": other}]], "pin": [secret, 1]}
    with write_scope(actor):
        record(action="x.y", actor=actor, target_type="x", target_id="x", now=clock.now(), changes=changes)
    with tenant_scope(acme.id):
        leaf = json.dumps(AuditEntry.objects.order_by("-id").values("changes").first())
    assert (secret in leaf, other in leaf, "redacted" in leaf) == (False, False, True)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=RECOGNISED)
def test_an_exception_that_quotes_it_is_logged_without_it(desk: Desk, secret: str):
    desk.lines.seek(0)
    desk.lines.truncate()
    try:
        raise ValueError(f"Key (value)=({secret}) already exists.")
    except ValueError:
        logging.getLogger("finops").exception(
            "it.failed %s", secret, extra={"detail": [secret], "error": {"a": secret}}
        )
    assert secret not in desk.lines.getvalue()
