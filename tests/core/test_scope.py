"""Scopes commit here: inside a rolled-back test a transaction-local scope would outlive its block."""

import threading
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from apps.core import scope, wake
from apps.core.actor import Actor, system_actor
from apps.core.errors import ReadOnly
from apps.core.scope import staff_scope, system_scope, tenant_scope, write_scope
from tests.threads import at_once

pytestmark = pytest.mark.commits

TENANT = UUID("0198c5a0-0000-7000-8000-000000000001")
OTHER = UUID("0198c5a0-0000-7000-8000-000000000002")
ACTOR = system_actor("test", tenant_id=TENANT)


def _where() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, coalesce(current_setting('app.tenant_id', true), '')")
        role, tenant = cursor.fetchone()
    return role, tenant


def test_a_tenant_scope_is_the_application_role_with_that_tenant() -> None:
    with tenant_scope(TENANT):
        assert _where() == ("finops_app", str(TENANT))
    assert _where() == ("finops_web", "")


def test_scopes_nest_and_the_outer_one_comes_back() -> None:
    with staff_scope():
        with tenant_scope(TENANT):
            with tenant_scope(OTHER):
                assert _where() == ("finops_app", str(OTHER))
            assert _where() == ("finops_app", str(TENANT))
        assert _where() == ("finops_staff", "")
    assert scope.current_scope() is None


def test_an_exception_restores_the_outer_scope_and_undoes_the_inner_one() -> None:
    with staff_scope():
        with pytest.raises(ZeroDivisionError), tenant_scope(TENANT):
            raise ZeroDivisionError
        assert _where() == ("finops_staff", "")


def test_the_web_login_cannot_become_the_system_role() -> None:
    with pytest.raises(DatabaseError, match="permission denied to set role"), system_scope():
        pass


@pytest.mark.worker_login
def test_the_worker_login_cannot_become_the_staff_role() -> None:
    with system_scope():
        assert _where() == ("finops_system", "")
    with pytest.raises(DatabaseError, match="permission denied to set role"), staff_scope():
        pass


def test_the_same_scope_nested_needs_no_statement() -> None:
    with write_scope(ACTOR):
        before = _statements()
        with write_scope(ACTOR), tenant_scope(TENANT):
            pass
        assert _statements() == before


def _statements() -> int:
    connection.force_debug_cursor = True
    try:
        return len(connection.queries_log)
    finally:
        connection.force_debug_cursor = False


def test_a_tenant_that_is_switched_read_only_refuses_writes_and_serves_reads() -> None:
    with staff_scope(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_readonlyswitch (id, tenant_id, reason, engaged_at) VALUES (%s, %s, 'audit', now())",
            [OTHER, TENANT],
        )
    with pytest.raises(ReadOnly, match="audit"), write_scope(ACTOR):
        pass
    with tenant_scope(TENANT):
        assert _where()[0] == "finops_app"
    with write_scope(ACTOR.for_tenant(OTHER)):
        assert _where() == ("finops_app", str(OTHER))


def test_the_installation_switch_refuses_writes_of_every_tenant() -> None:
    with staff_scope(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_readonlyswitch (id, tenant_id, reason, engaged_at) VALUES (%s, NULL, 'upgrade', now())",
            [OTHER],
        )
    for tenant in (TENANT, OTHER):
        with pytest.raises(ReadOnly, match="upgrade"), write_scope(ACTOR.for_tenant(tenant)):
            pass


def test_a_write_needs_a_tenant() -> None:
    with (
        pytest.raises(RuntimeError, match="acts upon no tenant"),
        write_scope(Actor(kind="staff", label="x")),
    ):
        pass


def test_wakes_go_out_once_a_topic_after_the_outermost_commit() -> None:
    sent: list[tuple[str, bool]] = []
    wake.install(lambda topic: sent.append((topic, connection.in_atomic_block)))
    try:
        with write_scope(ACTOR):
            scope.request_wake("jobs:sync")
            with write_scope(ACTOR):
                scope.request_wake("jobs:sync")
                scope.request_wake("outbox")
            assert sent == []
        assert sent == [("jobs:sync", False), ("outbox", False)]
    finally:
        wake.install(None)


def test_a_rolled_back_scope_sends_no_wake() -> None:
    sent: list[str] = []
    wake.install(sent.append)
    try:
        with pytest.raises(ZeroDivisionError), write_scope(ACTOR):
            scope.request_wake("outbox")
            raise ZeroDivisionError
        assert sent == []
    finally:
        wake.install(None)


def test_inside_somebodys_transaction_wakes_wait_for_its_commit() -> None:
    sent: list[bool] = []
    wake.install(lambda _topic: sent.append(connection.in_atomic_block))
    try:
        with transaction.atomic():
            with write_scope(ACTOR):
                scope.request_wake("audit")
            assert sent == []
        assert sent == [False]
    finally:
        wake.install(None)


def test_scopes_of_two_threads_do_not_meet() -> None:
    both_open = threading.Barrier(2, timeout=10)

    def work(tenant: UUID) -> tuple[str, str]:
        with tenant_scope(tenant):
            both_open.wait()
            return _where()

    assert at_once(work, [TENANT, OTHER]) == [("finops_app", str(tenant)) for tenant in (TENANT, OTHER)]


def test_deferred_constraints_are_checked_before_the_scope_ends() -> None:
    """SET CONSTRAINTS ALL IMMEDIATE runs while the inner scope can still see its rows."""
    with transaction.atomic():
        with tenant_scope(TENANT), connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE staged (n int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP")
            cursor.execute("INSERT INTO staged VALUES (1)")
        with (
            pytest.raises(DatabaseError, match="duplicate key"),
            tenant_scope(TENANT),
            connection.cursor() as cursor,
        ):
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
            cursor.execute("INSERT INTO staged VALUES (1)")
