"""Two tenants with something in every table, made by the services and the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.test import override_settings
from rest_framework.test import APIClient

from apps.accounts.models import Account, Transaction
from apps.accounts.services import grant_object
from apps.audit.services import sequence_entries
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import write_scope
from apps.jobs.models import Job
from apps.market.selectors import find_listing
from apps.orders.enums import OrderStatus
from apps.orders.models import Order
from apps.outbox.services import relay_events
from apps.providers.models import Connection
from apps.providers.services import delete_connection, finish_run, request_sync
from apps.providers.types import RejectedRow, SyncCounts
from apps.tenants.models import Membership, Tenant
from apps.tenants.tasks import store_request_counts
from apps.users.enums import PasskeyPurpose
from apps.users.models import User
from apps.users.services import Ceremony, add_totp_device, ask_for_passkey, begin_passkey
from apps.users.services.factors import new_authenticator
from apps.webhooks.services import recover, send_test_event
from tests.conftest import client_for
from tests.factories.accounts import make_account, make_holding, make_transaction
from tests.factories.audit import make_batch, make_entries, make_rows
from tests.factories.impersonations import make_impersonation
from tests.factories.incidents import make_incident
from tests.factories.market import make_listing, make_quote
from tests.factories.orders import (
    Desk,
    make_decision,
    make_desk,
    make_event,
    make_fill,
    make_kill_switch,
    make_order,
    make_position,
)
from tests.factories.passkeys import SoftAuthenticator, make_passkey
from tests.factories.providers import make_connection, make_hook, make_refused_hook, make_running_run
from tests.factories.tenants import make_api_key, make_invitation, make_member, make_role, make_tenant
from tests.factories.users import PASSWORD, make_password_reset, make_user
from tests.factories.webhooks import fail_due, make_endpoint

IDEMPOTENCY_KEY = "the-key-that-both-use"
_BACKEND = "django.contrib.auth.backends.ModelBackend"
SEED = b"seed of authenticator"
ROLES = ("admin", "trader", "viewer")
# A role of the tenant's own: it reads some, and trades only what is its own and worth next to nothing.
DESK = ("members:read", "accounts:read", "orders:read", "orders:write")
DESK_CONDITIONS = {"orders:write": [{"type": "own"}, {"type": "amount_below", "amount": "0.01"}]}
# What a member holds for the trading account alone.
GRANTED = ("accounts:read", "orders:read", "orders:write")


@dataclass(frozen=True, slots=True)
class Side:
    """One tenant. `ids` are its rows by the name that a path gives them; `secrets` its API keys by role.

    `access` and `refresh` are the tokens of its owner's session, who belongs to both tenants. `desk` is the access
    token of a member with a role of the tenant's own, `grantee` of one who was granted one account. `invitation` is the
    token of one that can be accepted, `reset` that of a letter in which its clerk can choose a new password.
    `registration` is that of a passkey: of jordan's session in acme, and of globex' clerk.
    """

    tenant: Tenant
    ids: Mapping[str, UUID]
    secrets: Mapping[str, str]
    access: str
    desk: str
    grantee: str
    refresh: str
    invitation: str
    reset: str
    registration: Ceremony


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Jordan's passkey, and the challenges that it can answer: to sign in, and to prove who it is in acme."""

    laptop: SoftAuthenticator
    sign_in: Ceremony
    proof: Ceremony

    def answer(self, ceremony: Ceremony) -> dict[str, Any]:
        """Return the body that answers a challenge."""
        return {"challenge_id": str(ceremony.id), "credential": self.laptop.get(ceremony.options)}


@dataclass(frozen=True, slots=True)
class World:
    """What all tests share; committed, so a test that changes it must roll back."""

    database: str
    acme: Side
    globex: Side
    passkeys: Passkeys
    _clients: dict[str, APIClient] = field(default_factory=dict)

    @property
    def credentials(self) -> dict[str, str]:
        """The cast, by the bearer that each sends."""
        return {
            "acme_admin": self.acme.secrets["admin"],
            "acme_trader": self.acme.secrets["trader"],
            "acme_viewer": self.acme.secrets["viewer"],
            "acme_user": self.acme.access,
            "acme_desk": self.acme.desk,
            "acme_grantee": self.acme.grantee,
            "globex_admin": self.globex.secrets["admin"],
            "globex_user": self.globex.access,
            "staff": "",
            "anonymous": "",
        }

    def client(self, member: str) -> APIClient:
        """Return the API client of a cast member."""
        if member not in self._clients:
            self._clients[member] = client_for(self.credentials[member])
        return self._clients[member]

    def sign_staff_in(self) -> None:
        """Sign a staff member in to the admin, with the cookie that the admin sets."""
        self.client("staff").force_login(User.objects.get(username="staff"), backend=_BACKEND)


def build(database: str) -> World:
    """Fill an empty database, logged in as finops_web."""
    make_user("staff", is_staff=True, is_superuser=True)
    jordan = make_user("jordan")
    make_quote(make_listing("XNAS:AAPL", venue="alpaca"), age_seconds=3600)
    acme, globex = _build_side("acme", jordan), _build_side("globex", jordan)
    world = World(database, acme, globex, _make_passkeys(jordan, acme))
    add_totp_device(user=jordan, key=SEED.hex(), actor=system_actor("tests"), now=clock.now())  # has signed in by now
    world.sign_staff_in()
    return world


def number_pending() -> None:
    """Give audit entries and events their sequences, logged in as finops_worker."""
    relay_events(now=clock.now())
    fail_due()
    sequence_entries(now=clock.now())
    store_request_counts()


def _build_side(slug: str, jordan: User) -> Side:
    tenant = make_tenant(slug)
    make_member(tenant, "", "owner", user=jordan)
    clerk = make_member(tenant, f"{slug}-clerk", "viewer")
    make_impersonation(tenant, clerk, make_user(f"{slug}-support", is_staff=True))
    role = make_role(tenant, "night-desk", ["orders:read"])
    make_role(tenant, "desk", DESK, conditions=DESK_CONDITIONS)
    make_member(tenant, f"{slug}-desk", "desk")
    grantee = make_member(tenant, f"{slug}-grantee", "billing")
    secrets = {role: make_api_key(tenant, role) for role in ROLES}
    _sign_in(slug)
    access, refresh, session_id = _sign_in(slug)
    make_account(tenant, connection=make_connection(tenant, f"test_tkn_{slug}_2"), external_id=f"acc_{slug}_second")
    gone = make_connection(tenant, f"test_tkn_{slug}_gone")
    delete_connection(connection_id=gone.id, actor=system_actor("tests", tenant_id=tenant.id), now=clock.now())
    connection, run_id = _connect(tenant)
    account = make_account(
        tenant,
        connection=connection,
        external_id=f"acc_{slug}_operating",
        name=f"{slug} operating account",
        institution=f"Bank of {slug}",
        provider_balance=Decimal("1204.55"),
        provider_balance_as_of=clock.now(),
        opening_balance=Decimal("1216.85"),
    )
    for symbol in ("AAPL", "MSFT"):
        make_holding(account, symbol, external_id=f"{symbol}-of-{slug}")
    transactions = _make_transactions(account, slug)
    make_incident(now=clock.now(), tenant_id=tenant.id, title=f"{slug} has an incident", target_id=connection.id)
    client = client_for(secrets["admin"])
    key = new_api_key(client, headers={"Idempotency-Key": IDEMPOTENCY_KEY})
    assert key.status_code == 201, key.content
    endpoint = make_endpoint(tenant, f"https://93.184.215.14/{slug}", description=f"the server of {slug}").endpoint
    actor = system_actor("tests", tenant_id=tenant.id)
    make_endpoint(tenant, f"https://93.184.215.14/{slug}/second")
    tests = [send_test_event(endpoint_id=endpoint.id, actor=actor, now=clock.now()) for _ in range(2)]
    for _ in range(2):
        recover(endpoint_id=endpoint.id, since=clock.now(), actor=actor, now=clock.now())
    desk, order = _make_desk(tenant)
    make_invitation(tenant, f"first@{slug}.example.com", "desk")
    invitation, token = make_invitation(tenant, f"second@{slug}.example.com")
    with write_scope(actor):
        member_id = Membership.objects.get(user_id=clerk.id).id
        grantee_id = Membership.objects.get(user_id=grantee.id).id
    granted: dict[str, Any] = {"permission": "accounts:read", "object_type": "connection", "object_id": connection.id}
    grants = [grant_object(member_id=member_id, **granted, actor=actor, now=clock.now())]
    granted |= {"object_type": "account", "object_id": desk.account.id}
    grants.append(grant_object(member_id=member_id, **granted, actor=actor, now=clock.now()))
    for permission in GRANTED:
        grant_object(member_id=grantee_id, **granted | {"permission": permission}, actor=actor, now=clock.now())
    bound: dict[str, Any] = {"user_id": jordan.id, "session_id": session_id}
    bound = bound if slug == "acme" else {"user_id": clerk.id, "session_id": None}
    registration = begin_passkey(**bound, now=_late())
    batch = make_rows(3)
    ids = {
        "account_id": desk.account.id,
        "api_key_id": UUID(key.json()["id"]),
        "challenge_id": registration.id,
        "connection_id": connection.id,
        "delivery_id": tests[-1].id,
        "endpoint_id": endpoint.id,
        "entry_id": make_batch(tenant.id, batch, target_id=order.id).id,
        "factor_id": _waiting_authenticator(jordan if slug == "acme" else clerk),
        "grant_id": grants[-1].id,
        "invitation_id": invitation.id,
        "member_id": member_id,
        "order_id": order.id,
        "role_id": role.id,
        "row_id": UUID(batch[1][0]),
        "run_id": run_id,
        "session_id": session_id,
        "transaction_id": transactions[-1].id,
    }
    make_entries(tenant.id, 256)  # a tile of the log's tree
    desk_access, _refresh, _session_id = _sign_in(slug, f"{slug}-desk")
    grantee_access, _refresh, _session_id = _sign_in(slug, f"{slug}-grantee")
    reset = make_password_reset(clerk)
    return Side(tenant, ids, secrets, access, desk_access, grantee_access, refresh, token, reset, registration)


def _make_passkeys(user: User, side: Side) -> Passkeys:
    own = {"user_id": user.id, "session_id": side.ids["session_id"]}
    return Passkeys(
        make_passkey(user),
        ask_for_passkey(purpose=PasskeyPurpose.SIGN_IN, now=_late()),
        ask_for_passkey(purpose=PasskeyPurpose.PROVE, **own, now=_late()),
    )


def _late() -> datetime:
    """Return when challenges begin that the matrix wants for an hour, on a slow machine."""
    return clock.now() + timedelta(hours=1)


def _waiting_authenticator(user: User) -> UUID:
    device = new_authenticator(user=user, name="new phone", confirmed=False, now=clock.now(), seed=SEED)
    return UUID(str(device.id))


def new_api_key(client: APIClient, **options: Any) -> Any:
    """Create an API key through the API."""
    body = {"name": "robot", "mode": "test", "scopes": ["tenant:read"]}
    return client.post("/api/v1/api-keys", body, format="json", **options)


def _sign_in(slug: str, username: str = "jordan") -> tuple[str, str, UUID]:
    body = {"username": username, "password": PASSWORD, "tenant": slug}
    # The matrix asks for an hour on a slow machine, on one sign-in.
    with override_settings(ACCESS_TOKEN_SECONDS=3600):
        answer = client_for().post("/api/v1/auth/token", body, format="json")
    assert answer.status_code == 200, answer.content
    tokens = answer.json()
    sessions = client_for(tokens["access"]).get("/api/v1/auth/sessions").json()["data"]
    return tokens["access"], tokens["refresh"], UUID(sessions[0]["id"])


def _connect(tenant: Tenant) -> tuple[Connection, UUID]:
    """Return a connection with a finished run, which quarantined a row, and the id of one that waits."""
    actor, now = system_actor("tests", tenant_id=tenant.id), clock.now()
    connection = make_connection(tenant, f"test_tkn_{tenant.slug}", label=f"{tenant.slug} at the bank")
    run = make_running_run(connection)
    bad_row = RejectedRow(
        entity="transaction", external_id=f"txn_{tenant.slug}_broken", reason="no amount", excerpt={"of": tenant.slug}
    )
    counts = SyncCounts(added=2, quarantined=1)
    finish_run(run_id=run.id, counts=counts, stages={}, rejected=[bad_row], actor=actor, now=now)
    with write_scope(actor):
        Job.objects.filter(id=run.job_id).update(state="succeeded", finished_at=now)
    make_hook(connection, event_id=f"wh_{tenant.slug}")
    make_refused_hook(connection)
    waiting = request_sync(connection_id=connection.id, trigger="api", actor=actor, now=now)
    assert waiting.id != run.id
    return connection, waiting.id


def _make_desk(tenant: Tenant) -> tuple[Desk, Order]:
    """Return a trading account that holds something, and its open order, executed in part."""
    desk = make_desk(tenant, key_id=f"PKDESK{tenant.slug.upper()}")
    make_kill_switch(desk, reason=f"a drill of {tenant.slug}", of_account=False)
    make_kill_switch(desk, reason=f"a drill of {tenant.slug}'s account")
    make_position(desk, "4")
    make_position(desk, "-1", listing=find_listing(venue="alpaca", key="XNYS:IBM") or make_listing("XNYS:IBM"))
    make_listing(f"XNYS:OF-{tenant.slug.upper()}")
    order = make_order(
        desk,
        OrderStatus.PARTIALLY_FILLED,
        client_order_id=f"order-of-{tenant.slug}",
        version=2,
        venue_order_id=f"venue-order-of-{tenant.slug}",
        filled_quantity=Decimal(4),
        average_fill_price=Decimal("189.5"),
    )
    make_event(order, "order.cancel_requested", sequence=2)
    for serial in (1, 2):
        make_fill(order, "2", venue_execution_id=f"execution-of-{tenant.slug}-{serial}")
    make_order(desk, OrderStatus.FILLED, client_order_id=f"past-order-of-{tenant.slug}")
    make_decision(desk, order)
    make_decision(desk, outcome="denied", code="venue_closed", detail=f"The venue is closed to {tenant.slug}.")
    return desk, order


def _make_transactions(account: Account, slug: str) -> list[Transaction]:
    """Return a pending transaction that was removed, the one that posted it, and another."""
    pending = make_transaction(account, "-9.80", external_id=f"txn_{slug}_pending", status="removed")
    words = {"description": f"{slug} PAYROLL 77", "counterparty": f"{slug} staff", "note": f"a note of {slug}"}
    posted = make_transaction(account, "-9.80", external_id=f"txn_{slug}_posted", replaces=pending)
    return [pending, posted, make_transaction(account, external_id=f"txn_{slug}_payroll", **words)]
