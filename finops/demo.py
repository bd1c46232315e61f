"""The demo: two tenants, each with a bank and a broker in the sandbox, and one staff user.

Data come through the real sync. What can be shown only once (passwords, API keys) is kept in `demo.json`.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.core.exceptions import ValidationError

from apps.audit import services as audit
from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import staff_scope, tenant_scope, write_scope
from apps.providers.models import Connection
from apps.providers.services import create_connection
from apps.tenants.enums import ApiKeyMode, Role
from apps.tenants.models import ApiKey, Membership, Tenant
from apps.tenants.roles import permissions_of
from apps.tenants.services import add_member, create_api_key, create_tenant, revoke_api_key
from apps.users.models import Authenticator, User
from apps.users.services import add_totp_device, create_user
from finops.demo_file import read_demo, write_demo

ACTOR = system_actor("demo")
KEY_NAME = "Demo"
LOOPBACK = ("127.0.0.1", "localhost")


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """A tenant to create: its slug, its name, and the labels of its connections by provider."""

    slug: str
    name: str
    connections: dict[str, str]


TENANTS = (
    DemoTenant("acme", "Acme Robotics", {"teller": "Acme operating bank", "alpaca": "Acme treasury broker"}),
    DemoTenant("globex", "Globex Trading", {"teller": "Globex house bank", "alpaca": "Globex prime broker"}),
)


def sandbox_credentials(label: str) -> dict[str, Any]:
    """Return a body per provider that `POST /connections` accepts; each label is an enrolment of its own."""
    response = httpx.get(f"{settings.SANDBOX_URL}/_control/credentials", params={"label": label}, timeout=10)
    return dict(response.raise_for_status().json())


def ensure_demo(path: Path) -> bool:
    """Create the demo unless `path` describes what the database holds; return whether the file was written.

    Each part is created or, when an interrupted creation or a lost file left it, taken over with new secrets: of
    the old ones only hashes are stored. The file comes last, so without it everything is gone through again. The
    banks' webhooks follow the platform to another port.
    """
    if _describes_the_database(path):
        with staff_scope():
            tenants = {tenant.slug: tenant for tenant in Tenant.objects.filter(slug__in=[one.slug for one in TENANTS])}
        for demo in TENANTS:
            if demo.slug in tenants:
                _ensure_webhooks(demo, tenants[demo.slug])
        return False
    content = {
        "base_url": settings.BASE_URL,
        "sandbox_url": settings.SANDBOX_URL,
        "staff": _ensure_staff("staff"),
        "sandbox_credentials": sandbox_credentials("visitor"),
        "tenants": [_ensure_tenant(tenant) for tenant in TENANTS],
    }
    write_demo(path, content)
    return True


def _describes_the_database(path: Path) -> bool:
    tenants = (read_demo(path) or {}).get("tenants", [])
    with staff_scope():
        try:
            found = Tenant.objects.filter(id__in=[tenant["id"] for tenant in tenants]).count()
        except (KeyError, TypeError, ValidationError):
            return False
    return len(tenants) == len(TENANTS) == found


def _ensure_staff(username: str) -> dict[str, str]:
    user, password = _ensure_user(
        username, email=f"{username}@finops.example", display_name="Sam Staff", is_staff=True, is_superuser=True
    )
    with staff_scope():
        device = Authenticator.objects.filter(user=user, confirmed=True).order_by("id").first()
        device = device or add_totp_device(user=user, actor=ACTOR, now=clock.now())
    return {"username": username, "password": password, "totp_secret": device.secret}


def _ensure_tenant(demo: DemoTenant) -> dict[str, Any]:
    with staff_scope():
        tenant = Tenant.objects.filter(slug=demo.slug).first()
    tenant = tenant or create_tenant(slug=demo.slug, name=demo.name, actor=ACTOR, now=clock.now())
    actor = ACTOR.for_tenant(tenant.id)
    owner = _ensure_owner(f"{demo.slug}-owner", tenant, actor)
    _ensure_connections(demo, tenant, actor)
    _ensure_webhooks(demo, tenant)
    return {"slug": tenant.slug, "id": str(tenant.id), "api_key": _replace_api_key(actor), "owner": owner}


def _ensure_owner(username: str, tenant: Tenant, actor: Actor) -> dict[str, str]:
    user, password = _ensure_user(username, email=f"{username}@example.com", display_name="Olivia Owner")
    with staff_scope():
        is_member = Membership.objects.filter(tenant_id=tenant.id, user=user).exists()
    if not is_member:
        add_member(user=user, role=Role.OWNER, actor=actor, now=clock.now())
    return {"username": username, "password": password}


def _ensure_user(username: str, **attributes: Any) -> tuple[User, str]:
    """Return the user of this name and a password that is theirs from now on."""
    now, password = clock.now(), secrets.token_urlsafe(15)
    with staff_scope():
        user = User.objects.filter(username=username).first()
    if user is None:
        return create_user(username=username, password=password, actor=ACTOR, now=now, **attributes), password
    with staff_scope():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.record(action="user.password_reset", actor=ACTOR, target_type="user", target_id=user.id, now=now)
    return user, password


def _ensure_connections(demo: DemoTenant, tenant: Tenant, actor: Actor) -> None:
    """Connect the tenant's bank and broker, unless it has connections to them or had them disabled."""
    with tenant_scope(tenant.id):
        connected = set(Connection.objects.values_list("provider", flat=True))
    missing = [provider for provider in demo.connections if provider not in connected]
    credentials = sandbox_credentials(demo.slug) if missing else {}
    for provider in missing:
        create_connection(
            provider=provider,
            credentials=credentials[provider],
            label=demo.connections[provider],
            actor=actor,
            now=clock.now(),
        )


def _ensure_webhooks(demo: DemoTenant, tenant: Tenant) -> None:
    """Have the sandbox's Teller send the tenant's webhooks to its connection; it sends to this machine alone."""
    if not settings.TELLER_WEBHOOK_SECRETS or urlsplit(settings.BASE_URL).hostname not in LOOPBACK:
        return
    with tenant_scope(tenant.id):
        connection = Connection.objects.live().filter(provider="teller").order_by("id").first()
    if connection is None:
        return
    url = f"{settings.BASE_URL}/hooks/teller/{connection.id}"
    control = f"{settings.SANDBOX_URL}/_control/teller/webhooks"
    known = httpx.get(control, timeout=10).raise_for_status().json()["targets"]
    if url in [target["url"] for target in known]:
        return
    token = sandbox_credentials(demo.slug)["teller"]["access_token"]
    target = {"url": url, "secret": settings.TELLER_WEBHOOK_SECRETS, "token": token}
    httpx.post(control, json=target, timeout=10).raise_for_status()


def _replace_api_key(actor: Actor) -> str:
    """Return the secret of a new key; earlier ones, whose secrets nobody knows, end."""
    now = clock.now()
    with write_scope(actor):
        for key in ApiKey.objects.filter(name=KEY_NAME, created_by=actor.label, revoked_at=None):
            revoke_api_key(api_key_id=key.id, actor=actor, now=now)
        new = create_api_key(
            name=KEY_NAME, mode=ApiKeyMode.TEST, scopes=permissions_of(Role.OWNER), actor=actor, now=now
        )
    return new.secret
