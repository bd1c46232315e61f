"""After the installation's key has changed, secrets move under the new one; those whose grace is over go."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from apps.audit.models import AuditEntry
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope
from apps.webhooks.models import Endpoint, EndpointSecret
from apps.webhooks.services import WEBHOOK_SECRETS, forget_secrets, rotate_secret
from apps.webhooks.signing import open_sealed, shown
from apps.webhooks.types import SigningKey
from tests.factories.webhooks import make_endpoint

pytestmark = pytest.mark.worker_login

NEW_KEY = "t2:" + base64.b64encode(b"another-key-for-the-test-suite-2").decode()


def secrets_of(endpoint: Endpoint) -> dict[str, str]:
    """Return {secret as its client knows it: id of the key that it is under}."""
    with tenant_scope(endpoint.tenant_id):
        rows = list(EndpointSecret.objects.filter(endpoint_id=endpoint.id))
    owner: dict[str, Any] = {"tenant_id": endpoint.tenant_id, "endpoint_id": endpoint.id}
    return {
        shown(SigningKey(row.kind, open_sealed(row.ciphertext, **owner, kind=row.kind))): row.key_id for row in rows
    }


def test_secrets_move_under_the_new_key(acme, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [make_endpoint(acme, now=now) for _ in range(3)]
    monkeypatch.setattr(settings, "FIELD_KEYS", f"{NEW_KEY},{settings.FIELD_KEYS}")
    assert list(WEBHOOK_SECRETS.renew(now=lambda: now, limit=2)) == [(2, 2), (1, 1)]
    assert list(WEBHOOK_SECRETS.renew(now=lambda: now)) == []
    monkeypatch.setattr(settings, "FIELD_KEYS", NEW_KEY)
    assert [secrets_of(one.endpoint) for one in made] == [{one.secret: "t2"} for one in made]
    with tenant_scope(acme.id):
        assert AuditEntry.objects.filter(action="webhook_secret.resealed").count() == 3


def test_a_secret_whose_grace_is_over_goes(acme, now: datetime) -> None:
    made = make_endpoint(acme, now=now)
    actor = system_actor("tests", tenant_id=acme.id)
    _endpoint, new = rotate_secret(endpoint_id=made.endpoint.id, grace_seconds=60, actor=actor, now=now)
    assert forget_secrets(now=now + timedelta(seconds=59)) == (0, None)
    assert forget_secrets(now=now + timedelta(seconds=60)) == (1, None)
    assert secrets_of(made.endpoint) == {new: "t1"}


def test_what_cannot_be_opened_or_written_is_passed_over(
    acme,
    globex,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    switch_read_only_as_owner: Callable[[UUID], None],
) -> None:
    old, made = settings.FIELD_KEYS, [make_endpoint(tenant, now=now) for tenant in (acme, globex)]
    switch_read_only_as_owner(globex.id)
    monkeypatch.setattr(settings, "FIELD_KEYS", NEW_KEY)
    assert list(WEBHOOK_SECRETS.renew(now=lambda: now)) == [(2, 0)]
    monkeypatch.setattr(settings, "FIELD_KEYS", f"{NEW_KEY},{old}")
    assert list(WEBHOOK_SECRETS.renew(now=lambda: now)) == [(2, 1)]
    assert [secrets_of(one.endpoint) for one in made] == [{made[0].secret: "t2"}, {made[1].secret: "t1"}]
