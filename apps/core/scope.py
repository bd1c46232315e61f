"""Scopes: the only way to reach tenant data.

A process logs in as a role that owns nothing. A scope opens a transaction and, in one statement, sets the
runtime role and the tenant for that transaction alone, so that row-level security applies and a pooled
connection carries nothing over. See docs/adr/0002-rls-roles-and-one-alias.md.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Model, QuerySet
from psycopg.pq import TransactionStatus

from apps.core import context, wake
from apps.core.actor import Actor
from apps.core.db.statements import Statement, run_in_one_trip
from apps.core.errors import ImpersonationReads, NotFound, PermissionMissing, ReadOnly
from apps.core.objects import Objects, as_array
from apps.core.tenancy import GLOBAL_TABLES

Role = Literal[
    "finops_app",
    "finops_staff",
    "finops_staff_limited",
    "finops_system",
    "finops_impersonator",
    "finops_grantee",
    "finops_verifier",
]

T = TypeVar("T", bound=Model)

_BEGIN, _COMMIT = Statement("BEGIN"), Statement("COMMIT")
_BEGIN_SNAPSHOT = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_ENTER = "SELECT set_config('role', %s, true), set_config('app.tenant_id', %s, true)"
_LIMIT = ", set_config('app.staff_id', %s, true), set_config('app.tenant_ids', %s, true)"
_OBJECTS = ", set_config('app.account_ids', %s, true), set_config('app.connection_ids', %s, true)"
# Rows exist only while a switch is engaged; the installation's row has no tenant.
_READ_ONLY = ", (SELECT min(reason) FROM core_readonlyswitch WHERE tenant_id IS NULL OR tenant_id = %s)"


@dataclass(frozen=True, slots=True)
class Reach:
    """A staff member, and the tenants that they are limited to."""

    staff_id: UUID
    tenants: frozenset[UUID]

    @property
    def setting(self) -> str:
        """Return the tenants as PostgreSQL writes an array, the same for the same tenants."""
        return as_array(self.tenants)


@dataclass(slots=True)
class Scope:
    """An open scope: its role, its tenant and the wakes to send when the outermost one has committed.

    `reach` limits it, and every scope inside it, to some tenants.
    """

    role: Role
    tenant_id: UUID | None
    writable: bool
    reach: Reach | None = None
    wakes: set[str] = field(default_factory=set)
    first_rows: list[list[tuple[Any, ...]]] = field(default_factory=list)


_current: ContextVar[Scope | None] = ContextVar("finops_scope", default=None)


def current_scope() -> Scope | None:
    """Return the innermost open scope."""
    return _current.get()


def current_tenant_id() -> UUID:
    """Return the tenant of the open scope.

    Raises:
        RuntimeError: no tenant scope is open; a programming error.
    """
    scope = _current.get()
    if scope is None or scope.tenant_id is None:
        raise RuntimeError("no tenant scope is open")
    return scope.tenant_id


def request_wake(topic: str) -> None:
    """Ask for one wake of `topic` after the outermost scope has committed."""
    scope = _current.get()
    if scope is None:
        raise RuntimeError("a wake is requested inside a scope")
    scope.wakes.add(topic)


@contextmanager
def tenant_scope(tenant_id: UUID) -> Iterator[Scope]:
    """Read the rows of one tenant, as finops_app; under an impersonation as a role that can read few tables alone.

    Where a request's permission is for single objects, as one that reads these alone.
    """
    role: Role = "finops_app" if context.current().objects is None else "finops_grantee"
    with _scope("finops_impersonator" if context.is_impersonated() else role, tenant_id, writable=False) as scope:
        yield scope


def of_granted_accounts(rows: QuerySet[T]) -> QuerySet[T]:
    """Say in a scope that reads single objects alone which accounts they are.

    The policies let nothing else through; but what an array in a setting holds is nothing that the planner can know
    (a page of an account with 24,000 of 376,000 rows: 15,318 blocks instead of 60).
    """
    scope, objects = _current.get(), context.current().objects
    if scope is None or scope.role != "finops_grantee" or objects is None:
        return rows
    return rows.filter(account_id__in=sorted(objects.accounts))


def of_reach(rows: QuerySet[T]) -> QuerySet[T]:
    """Say in a scope that is limited to some tenants which they are, for the planner; see `of_granted_accounts`."""
    scope = _current.get()
    meta = rows.model._meta
    is_theirs = meta.db_table not in GLOBAL_TABLES and any(
        field.attname == "tenant_id" for field in meta.concrete_fields
    )
    if scope is None or scope.reach is None or not is_theirs:
        return rows
    return rows.filter(tenant_id__in=sorted(scope.reach.tenants))


@contextmanager
def write_scope(actor: Actor, *, even_if_read_only: bool = False) -> Iterator[Scope]:
    """Change the rows of the actor's tenant, as finops_app, in one transaction.

    `even_if_read_only` is for what must go on while writing is switched off: signing in and out, and telling of
    a job's death.

    Raises:
        ReadOnly: the tenant or the installation is switched to read-only.
        ImpersonationReads: see the class.
    """
    tenant_id = _may_write(actor)
    with _scope("finops_app", tenant_id, writable=True, ask_switch=not even_if_read_only) as scope:
        yield scope


@contextmanager
def write_scope_with(actor: Actor, statements: Sequence[Statement]) -> Iterator[list[list[tuple[Any, ...]]]]:
    """Open a write scope and run its first statements, all in one round trip; yield the rows of each.

    Each statement returns rows, and sees what had committed when its turn came.

    Raises:
        ReadOnly: the tenant or the installation is switched to read-only.
        ImpersonationReads: see the class.
    """
    tenant_id = _may_write(actor)
    with _scope("finops_app", tenant_id, writable=True, ask_switch=True, first=statements) as scope:
        yield scope.first_rows


def _may_write(actor: Actor) -> UUID:
    """Return the tenant that the actor may change."""
    if actor.impersonator_id is not None:
        raise ImpersonationReads
    if actor.tenant_id is None:
        raise RuntimeError(f"actor {actor.label!r} acts upon no tenant")
    return actor.tenant_id


def execute_last(statement: Statement) -> None:
    """Run the last statement of the open scope and, if no other transaction surrounds it, commit in the same trip.

    Nothing can be read or written in the scope afterwards. What waits for the commit, such as wakes, still does.

    Raises:
        IntegrityError: it violates a constraint; nothing has been committed.
    """
    # Django's own commit then finds nothing to commit, and runs what waits for it.
    run_in_one_trip([statement] if connection.savepoint_ids else [statement, _COMMIT])


@contextmanager
def staff_scope(reach: Reach | None = None) -> Iterator[Scope]:
    """Read across tenants, as finops_staff: the admin. With a reach, as finops_staff_limited: these tenants alone.

    Inside a limited scope it is limited likewise, whatever is asked for.
    """
    outer = _current.get()
    reach = outer.reach if outer and outer.reach else reach
    with _scope("finops_staff_limited" if reach else "finops_staff", None, writable=False, reach=reach) as scope:
        yield scope


def is_limited() -> bool:
    """Tell whether the open scope reaches some tenants alone, and nothing of the whole installation."""
    scope = _current.get()
    return scope is not None and scope.reach is not None


def require_whole_installation() -> None:
    """Refuse what concerns every tenant in a scope that is limited to some.

    Raises:
        PermissionMissing: it is.
    """
    if is_limited():
        raise PermissionMissing


@contextmanager
def system_scope() -> Iterator[Scope]:
    """Work on the platform's own queues across tenants, as finops_system."""
    with _scope("finops_system", None, writable=False) as scope:
        yield scope


@contextmanager
def snapshot_scope() -> Iterator[Scope]:
    """Read every row of the installation as finops_verifier, as all of it was at one instant; nothing can be written.

    What every commit leaves true is true in here, whatever is being written meanwhile. Keep it short: the server
    cannot clean up behind an open snapshot.

    Raises:
        RuntimeError: a transaction is open, whose snapshot would be an older one; a programming error.
    """
    if connection.in_atomic_block:
        raise RuntimeError("a snapshot begins outside of any transaction")
    with _scope("finops_verifier", None, writable=False) as scope:
        yield scope


@contextmanager
def system_scope_with(statements: Sequence[Statement]) -> Iterator[list[list[tuple[Any, ...]]]]:
    """Open a system scope and run its first statements in one round trip, as `write_scope_with` does."""
    with _scope("finops_system", None, writable=False, first=statements) as scope:
        yield scope.first_rows


@contextmanager
def _scope(
    role: Role,
    tenant_id: UUID | None,
    *,
    writable: bool,
    ask_switch: bool = False,
    first: Sequence[Statement] = (),
    reach: Reach | None = None,
) -> Iterator[Scope]:
    if role != "finops_impersonator" and context.is_impersonated():
        raise ImpersonationReads
    outer = _current.get()
    reach = outer.reach if outer and outer.reach else reach
    if reach is not None and tenant_id is not None and tenant_id not in reach.tenants:
        raise NotFound
    if outer and (outer.role, outer.tenant_id) == (role, tenant_id) and outer.writable >= writable:
        # Nothing to switch. No savepoint either: a failed service fails the unit of work that it is part of. Under an
        # impersonation the request is one scope, in which a view finds nothing and answers so.
        with transaction.atomic(savepoint=role == "finops_impersonator"):
            if first:
                outer.first_rows = run_in_one_trip(first)
            yield outer
        return
    nested = connection.in_atomic_block
    scope = Scope(role, tenant_id, writable, reach, outer.wakes if outer else set())
    with transaction.atomic():
        _enter(scope, ask_switch=ask_switch, first=first)
        token = _current.set(scope)
        try:
            yield scope
        finally:
            _current.reset(token)
        if nested:
            # Deferred constraints of this scope must see its rows, so they run before the role changes back.
            # An exception needs no restoring: the rollback to the savepoint undoes set_config.
            _leave(outer)
    if outer is None and scope.wakes:
        # At once, unless the scope was opened inside somebody's transaction: then after that has committed.
        transaction.on_commit(lambda: wake.send(scope.wakes))


def _enter(scope: Scope, *, ask_switch: bool, first: Sequence[Statement]) -> None:
    tenant = str(scope.tenant_id or "")
    sql: str = _ENTER
    params: list[str | None] = [scope.role, tenant]
    if scope.reach is not None:
        sql, params = sql + _LIMIT, [*params, str(scope.reach.staff_id), scope.reach.setting]
    if scope.role == "finops_grantee":
        objects = context.current().objects or Objects()
        sql, params = sql + _OBJECTS, [*params, as_array(objects.accounts), as_array(objects.connections)]
    if ask_switch:
        sql, params = sql + _READ_ONLY, [*params, tenant or None]
    statements = [Statement(sql, params), *first]
    connection.ensure_connection()
    session = connection.connection
    if session.info.transaction_status == TransactionStatus.IDLE:
        # psycopg would send its BEGIN ahead and wait for it (measured: a third of a scoped read's time).
        session.autocommit = True
        begin = _BEGIN_SNAPSHOT if scope.role == "finops_verifier" else _BEGIN
        _begun, [entered], *scope.first_rows = run_in_one_trip([begin, *statements])
    else:
        [entered], *scope.first_rows = run_in_one_trip(statements)
    if ask_switch and entered[-1] is not None:
        raise ReadOnly(entered[-1] or ReadOnly.title)


def _leave(outer: Scope | None) -> None:
    role, tenant = (outer.role, str(outer.tenant_id or "")) if outer else ("none", "")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(_ENTER, [role, tenant])
