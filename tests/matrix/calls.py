"""Calls of the API: a good one for every operation, and blocks that leave nothing behind."""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from rest_framework.test import APIClient

from finops.demo_file import one_time_code
from tests.factories.passkeys import SoftAuthenticator
from tests.factories.users import PASSWORD
from tests.matrix.routes import Route
from tests.matrix.world import SEED, World


def current_code() -> str:
    """Return what jordan's authenticators show."""
    return one_time_code(base64.b32encode(SEED).decode(), time.time())


def good_body(world: World, route: Route, method: str) -> dict[str, Any] | None:
    """Return a body with which the operation succeeds; None where it takes none."""
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "auth/token"): {"username": "acme-clerk", "password": PASSWORD, "tenant": "acme"},
        ("POST", "auth/reauthenticate"): {"password": PASSWORD, "otp": current_code()},
        ("PATCH", "tenant"): {"require_mfa": True},
        ("POST", "auth/factors/totp"): {"name": "another phone"},
        ("POST", "auth/factors/totp/{factor_id}/confirm"): {"otp": current_code()},
        ("POST", "auth/factors/passkeys/{challenge_id}/confirm"): {
            "name": "another laptop",
            "credential": SoftAuthenticator().create(world.acme.registration.options),
        },
        ("POST", "auth/token/passkey"): {**world.passkeys.answer(world.passkeys.sign_in), "tenant": "acme"},
        ("POST", "auth/reauthenticate/passkey"): world.passkeys.answer(world.passkeys.proof),
        ("POST", "auth/token/refresh"): {"refresh": world.acme.refresh},
        ("POST", "auth/token/revoke"): {"refresh": world.acme.refresh},
        ("POST", "auth/password"): {
            "current_password": PASSWORD,
            "new_password": "another one, of five words",
            "otp": current_code(),
        },
        ("POST", "auth/password/reset"): {"username": "jordan"},
        ("POST", "auth/password/reset/confirm"): {"token": world.acme.reset, "password": "another one, of five words"},
        ("POST", "api-keys"): {"name": "another", "mode": "test", "scopes": ["tenant:read"]},
        ("POST", "api-keys/{api_key_id}/roll"): {"overlap_seconds": 60},
        ("POST", "members"): {"username": "globex-clerk", "role": "viewer"},
        ("PATCH", "members/{member_id}"): {"role": "trader"},
        ("POST", "members/{member_id}/grants"): {
            "permission": "transactions:read",
            "object_type": "account",
            "object_id": str(world.acme.ids["account_id"]),
        },
        ("POST", "roles"): {"slug": "auditor", "name": "Auditor", "permissions": ["audit:read"]},
        ("PATCH", "roles/{role_id}"): {"name": "Night shift", "permissions": ["orders:read", "risk:read"]},
        ("POST", "invitations"): {"email": "new@example.com", "role": "trader"},
        ("POST", "invitations/accept"): {
            "token": world.acme.invitation,
            "username": "newcomer",
            "password": "a long one of four words",
        },
        ("POST", "connections"): {"provider": "teller", "credentials": {"access_token": "test_tkn_new"}},
        ("PATCH", "transactions/{transaction_id}"): {"category": "wages", "note": "for February"},
        ("POST", "orders"): {
            "account_id": str(world.acme.ids["account_id"]),
            "instrument": "XNAS:AAPL",
            "side": "buy",
            "type": "limit",
            "quantity": "1",
            "limit_price": "190.25",
        },
        ("PATCH", "orders/{order_id}"): {"limit_price": "190.5"},
        ("PUT", "kill-switch"): {"engaged": True, "reason": "a drill"},
        ("PUT", "risk/limits/{account_id}"): {"max_open_trades": 3},
        ("POST", "webhooks/deliveries/retry"): {"status": "failed"},
        ("POST", "webhooks/endpoints"): {"url": "https://93.184.215.14/hook", "event_types": ["order.*"]},
        ("PATCH", "webhooks/endpoints/{endpoint_id}"): {"description": "another"},
        ("POST", "webhooks/endpoints/{endpoint_id}/rotate-secret"): {"grace_seconds": 60},
        ("POST", "webhooks/endpoints/{endpoint_id}/enable"): {"replay": True},
        ("POST", "webhooks/endpoints/{endpoint_id}/check-signature"): {"headers": {}, "body": "{}"},
        ("POST", "webhooks/endpoints/{endpoint_id}/recover"): {"since": "2026-01-01T00:00:00Z"},
    }
    return bodies.get((method, route.path))


def call(
    client: APIClient,
    method: str,
    url: str,
    body: object = None,
    *,
    raw: bytes | None = None,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Send one request, with an Idempotency-Key of its own unless `headers` has one; `raw` is the body as bytes."""
    data = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
    sent = dict(headers or {})
    if method == "POST":
        sent.setdefault("Idempotency-Key", str(uuid4()))
    content: Any = data  # bytes are taken as they are; the stubs know text only
    return client.generic(method, url, content, content_type if data else "", headers=sent)


def good_call(world: World, member: str, route: Route, method: str, ids: Mapping[str, UUID] | None = None) -> Any:
    """Make the operation's good call as a cast member, upon acme's rows unless `ids` says otherwise."""
    url = route.url(world.acme.ids if ids is None else ids)
    if route.required_query:
        url += f"?{urlencode(route.required_query)}"
    return call(world.client(member), method, url, good_body(world, route, method))


@contextmanager
def rolled_back() -> Iterator[None]:
    """Run a block in a transaction that leaves nothing behind."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # what Django's TestCase sets, for assertions on open transactions
    with block:
        yield
        transaction.set_rollback(True)
