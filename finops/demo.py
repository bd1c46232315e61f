"""The demo: two tenants, each with a bank connection in the sandbox, and one staff user.

Data come through the real sync. What can be shown only once (passwords, API keys) is kept in `demo.json`, which
its owner alone can read.
"""

import base64
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from apps.core import clock
from apps.core.actor import Actor, system_actor
from apps.core.scope import staff_scope
from apps.providers.services import create_connection
from apps.tenants.enums import ApiKeyMode, Role
from apps.tenants.models import Tenant
from apps.tenants.roles import permissions_of
from apps.tenants.services import add_member, create_api_key, create_tenant
from apps.users.services import add_totp_device, create_user

ACTOR = system_actor("demo")


@dataclass(frozen=True, slots=True)
class DemoTenant:
    """A tenant to create: its slug, its name, and the label of its bank connection."""

    slug: str
    name: str
    bank: str


TENANTS = (
    DemoTenant("acme", "Acme Robotics", "Acme operating bank"),
    DemoTenant("globex", "Globex Trading", "Globex house bank"),
)


def sandbox_credentials(label: str) -> dict[str, Any]:
    """Return a body per provider that `POST /connections` accepts; each label is an enrolment of its own."""
    response = httpx.get(f"{settings.SANDBOX_URL}/_control/credentials", params={"label": label}, timeout=10)
    return dict(response.raise_for_status().json())


def ensure_demo(path: Path) -> bool:
    """Create the demo unless `path` says that it is there; return whether it was created.

    An interrupted creation leaves no `demo.json`, hence starts again with another suffix: secrets that were
    shown to nobody cannot be recovered, and taken names stay taken.
    """
    if path.exists():
        return False
    suffix = _free_suffix()
    content = {
        "base_url": settings.BASE_URL,
        "sandbox_url": settings.SANDBOX_URL,
        "staff": _create_staff(f"staff{suffix}"),
        "sandbox_credentials": sandbox_credentials("visitor"),
        "tenants": [_create_tenant(tenant, suffix) for tenant in TENANTS],
    }
    _write(path, content)
    return True


def refresh_addresses(path: Path) -> None:
    """Write the present URLs into an existing `demo.json`: ports may differ from start to start."""
    content = json.loads(path.read_text(encoding="utf-8"))
    addresses = {"base_url": settings.BASE_URL, "sandbox_url": settings.SANDBOX_URL}
    if any(content.get(name) != value for name, value in addresses.items()):
        _write(path, {**content, **addresses})


def _free_suffix() -> str:
    with staff_scope():
        started = Tenant.objects.filter(slug__startswith=TENANTS[0].slug).count()
    return f"-{started + 1}" if started else ""


def _create_staff(username: str) -> dict[str, str]:
    now, password = clock.now(), secrets.token_urlsafe(15)
    user = create_user(
        username=username,
        password=password,
        email=f"{username}@finops.example",
        display_name="Sam Staff",
        is_staff=True,
        is_superuser=True,
        actor=ACTOR,
        now=now,
    )
    device = add_totp_device(user=user, actor=ACTOR, now=now)
    return {
        "username": username,
        "password": password,
        "totp_secret": base64.b32encode(device.bin_key).decode().rstrip("="),
    }


def _create_tenant(demo: DemoTenant, suffix: str) -> dict[str, Any]:
    now = clock.now()
    tenant = create_tenant(slug=demo.slug + suffix, name=demo.name, actor=ACTOR, now=now)
    actor = ACTOR.for_tenant(tenant.id)
    owner = _create_owner(f"{demo.slug}-owner{suffix}", actor)
    key = create_api_key(
        name="Demo",
        mode=ApiKeyMode.TEST,
        scopes=permissions_of(Role.OWNER),
        allowed_networks=(),
        expires_at=None,
        actor=actor,
        now=now,
    )
    create_connection(
        provider="teller",
        credentials=sandbox_credentials(demo.slug)["teller"],
        label=demo.bank,
        actor=actor,
        now=now,
    )
    return {"slug": tenant.slug, "id": str(tenant.id), "api_key": key.secret, "owner": owner}


def _create_owner(username: str, actor: Actor) -> dict[str, str]:
    now, password = clock.now(), secrets.token_urlsafe(15)
    user = create_user(
        username=username,
        password=password,
        email=f"{username}@example.com",
        display_name="Olivia Owner",
        actor=ACTOR,
        now=now,
    )
    add_member(user=user, role=Role.OWNER, actor=actor, now=now)
    return {"username": username, "password": password}


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file atomically; readers see the old one or the new one, and only their owner sees either."""
    draft = path.with_suffix(".json.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
