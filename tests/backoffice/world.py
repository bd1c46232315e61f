"""Two tenants with one of everything that the admin shows. Secrets in it must never be on a page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import staff_scope, write_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.providers.models import Connection, QuarantinedRow, SyncRun
from apps.providers.services import fail_run
from apps.providers.types import SyncFailure
from apps.tenants.enums import Role
from apps.tenants.models import ApiKey, Tenant
from apps.users.models import Session, User
from tests.backoffice.desk import Trade, build_trade
from tests.factories.accounts import make_account, make_transaction
from tests.factories.audit import make_entry
from tests.factories.incidents import make_incident
from tests.factories.outbox import make_event
from tests.factories.providers import make_connection, make_hook, make_refused_hook, make_running_run
from tests.factories.tenants import make_api_key, make_member

SECRET = "test_tkn_never_to_be_shown"
TOKEN_IN_TRACEBACK = "fop_live_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Corner:
    """One tenant's part of the world."""

    tenant: Tenant
    connection: Connection
    run: SyncRun
    quarantined: QuarantinedRow
    dead_job: Job
    incident: Incident
    member: User
    session: Session
    api_key: ApiKey
    secret: str
    trade: Trade


@dataclass(frozen=True)
class World:
    acme: Corner
    globex: Corner

    @property
    def built_at(self) -> datetime:
        """When the last of it was begun: what waits has waited since then."""
        return self.globex.dead_job.created_at


def build_world(acme: Tenant, globex: Tenant) -> World:
    """Fill both tenants."""
    return World(_corner(acme), _corner(globex))


def _corner(tenant: Tenant) -> Corner:
    now = clock.now()
    actor = system_actor("tests", tenant_id=tenant.id)
    connection = make_connection(tenant, f"{SECRET}_{tenant.slug}", label=f"{tenant.slug} bank")
    run = make_running_run(connection)
    make_hook(connection)
    make_refused_hook(connection)
    account = make_account(tenant, connection=connection)
    for amount in ("-12.30", "2500"):
        make_transaction(account, amount)
    make_entry(tenant.id)
    make_event(tenant.id)
    member = make_member(tenant, f"{tenant.slug}-owner", Role.OWNER)
    session = make_session(member, tenant)
    secret = make_api_key(tenant)
    with write_scope(actor):
        quarantined = QuarantinedRow.objects.create(
            tenant_id=tenant.id,
            connection=connection,
            run=run,
            entity="transaction",
            row_key="txn_1",
            reason="amount is not a number",
            excerpt={"amount": "abc", "access_token": SECRET},
            first_seen_at=now,
            last_seen_at=now,
        )
        dead_job = make_dead_job(tenant, now=now)
        api_key = ApiKey.objects.get()
    fail_run(
        run_id=run.id,
        failure=SyncFailure(code="provider_down", message="The bank is away."),
        will_retry=False,
        actor=actor,
        now=now + timedelta(seconds=2),
    )
    incident = make_incident(now=now, tenant_id=tenant.id, target_id=connection.id)
    trade = build_trade(tenant)
    return Corner(tenant, connection, run, quarantined, dead_job, incident, member, session, api_key, secret, trade)


def make_session(user: User, tenant: Tenant) -> Session:
    """Sign a user in to the API."""
    now = clock.now()
    with staff_scope():
        return Session.objects.create(
            user=user,
            tenant_id=tenant.id,
            created_at=now,
            last_used_at=now,
            proved_at=now,
            expires_at=now + timedelta(days=1),
            ip="127.0.0.9",
            user_agent="tests",
        )


def make_dead_job(tenant: Tenant, *, now, key: str = "", code: str = "TimeoutError") -> Job:
    """Insert a job that has failed for good."""
    with write_scope(system_actor("tests", tenant_id=tenant.id)):
        return Job.objects.create(
            tenant_id=tenant.id,
            kind="statement.import",
            queue="default",
            payload={"statement_id": str(new_id()), "password": "hunter2-hunter2"},
            unique_key=key,
            state="dead",
            run_at=now,
            attempts=5,
            max_attempts=5,
            lease_seconds=60,
            last_error_code=code,
            last_error_message="The bank did not answer.",
            last_traceback=f"Traceback …\nTimeoutError: Bearer {TOKEN_IN_TRACEBACK}",
            actor=system_actor("tests").as_json(),
            created_at=now,
            started_at=now,
            finished_at=now,
        )
