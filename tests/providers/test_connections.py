"""Making connections and taking them down."""

from uuid import uuid4

import pytest
from django.db import connection as database_connection

from apps.core.crypto import DecryptionFailed
from apps.core.errors import NotFound, ReadOnly, ValidationFailed, VersionConflict
from apps.core.scope import staff_scope, tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.providers import registry
from apps.providers.credentials import open_sealed
from apps.providers.enums import ErrorCategory
from apps.providers.errors import ConnectionDisabled, ProviderError, SyncRunClosed
from apps.providers.models import Connection, Credentials, SyncRun
from apps.providers.services import create_connection, delete_connection, fail_run, request_sync, start_run
from tests.factories.providers import (
    AWAY,
    actor_of,
    code_of,
    events_of,
    leaves_of,
    make_connection,
    make_running_run,
    read_connection,
    read_run,
)


def create(tenant, now, **changes):
    values = {"provider": "teller", "credentials": {"access_token": "test_tkn_a"}, "label": "Bank"}
    return create_connection(**{**values, **changes}, actor=actor_of(tenant), now=now)


def counts(tenant) -> tuple[int, int, int, int]:
    with tenant_scope(tenant.id):
        return (
            Connection.objects.count(),
            Credentials.objects.count(),
            SyncRun.objects.count(),
            Job.objects.filter(kind="connection.sync").count(),
        )


class TestCreate:
    def test_it_is_stored_with_its_first_sync_queued(self, acme, now):
        made = create(acme, now, credentials={"access_token": "test_tkn_a", "enrollment_id": "enr_1"})
        stored = read_connection(made)
        assert (stored.provider, stored.label, stored.status, stored.version) == ("teller", "Bank", "active", 1)
        assert (stored.external_id, stored.last_synced_at, stored.created_at) == ("enr_1", None, now)
        with tenant_scope(acme.id):
            run, job = SyncRun.objects.get(), Job.objects.get(kind="connection.sync")
        assert (run.connection_id, run.status, run.trigger) == (made.id, "queued", "schedule")
        assert run.job_id == job.id
        assert job.payload == {"connection_id": str(made.id), "run_id": str(run.id)}
        assert (job.queue, job.unique_key) == ("sync", str(made.id))

    def test_it_leaves_leaf_and_event(self, acme, now):
        made = create(acme, now)
        assert leaves_of(made) == ["connection.created", "connection.sync_requested"]
        assert events_of(made) == ["connection.created"]

    def test_credentials_are_sealed_and_bound_to_the_row(self, acme, now):
        first, second = create(acme, now), create(acme, now, credentials={"access_token": "test_tkn_b"})
        with tenant_scope(acme.id):
            sealed = Credentials.objects.get(connection=first)
            other = Credentials.objects.get(connection=second)
            row = database_connection.cursor()
            row.execute("SELECT string_agg(t::text, '') FROM providers_connection t")
            assert "test_tkn" not in row.fetchone()[0]
        assert b"test_tkn" not in bytes(sealed.ciphertext)
        assert open_sealed(sealed) == {"access_token": "test_tkn_a"}
        sealed.ciphertext = other.ciphertext
        with pytest.raises(DecryptionFailed):
            open_sealed(sealed)

    def test_staff_has_no_privilege_on_credentials(self, acme, now):
        create(acme, now)
        with staff_scope(), database_connection.cursor() as cursor:
            cursor.execute("SELECT has_table_privilege(current_user, 'providers_credentials', 'SELECT')")
            assert cursor.fetchone() == (False,)

    @pytest.mark.parametrize(
        ("credentials", "errors"),
        [
            ({}, [("credentials.access_token", "required")]),
            ({"access_token": ""}, [("credentials.access_token", "required")]),
            ({"access_token": None}, [("credentials.access_token", "required")]),
            ({"access_token": "a b"}, [("credentials.access_token", "invalid")]),
            ({"access_token": "a\nX-Evil: 1"}, [("credentials.access_token", "invalid")]),
            ({"access_token": "é"}, [("credentials.access_token", "invalid")]),
            ({"access_token": "x" * 513}, [("credentials.access_token", "invalid")]),
            ({"access_token": 7}, [("credentials.access_token", "invalid")]),
            (
                {"password": "p", "enrollment_id": "e" * 201},
                [
                    ("credentials.password", "unknown_field"),
                    ("credentials.access_token", "required"),
                    ("credentials.enrollment_id", "invalid"),
                ],
            ),
        ],
    )
    def test_each_bad_credential_is_named_and_none_repeated(self, acme, now, credentials, errors):
        with pytest.raises(ValidationFailed) as caught:
            create(acme, now, credentials=credentials)
        assert [(error["field"], error["code"]) for error in caught.value.extra["errors"]] == errors
        assert counts(acme) == (0, 0, 0, 0)

    def test_an_unknown_provider(self, acme, now):
        with pytest.raises(ValidationFailed) as caught:
            create(acme, now, provider="nobank")
        assert [(e["field"], e["code"]) for e in caught.value.extra["errors"]] == [("provider", "unknown_provider")]

    def test_the_same_enrolment_twice_makes_two(self, acme, now):
        first, second = create(acme, now), create(acme, now)
        assert first.id != second.id
        assert counts(acme) == (2, 2, 2, 2)

    def test_another_tenant_may_have_the_same_enrolment(self, acme, globex, now):
        create(acme, now)
        create(globex, now)
        assert (counts(acme), counts(globex)) == ((1, 1, 1, 1), (1, 1, 1, 1))

    def test_after_deletion_the_enrolment_may_come_back(self, acme, now):
        first = create(acme, now)
        delete_connection(connection_id=first.id, actor=actor_of(acme), now=now)
        second = create(acme, now)
        assert second.id != first.id

    def test_a_read_only_tenant_makes_none(self, acme, now, switch_read_only):
        switch_read_only(acme)
        with pytest.raises(ReadOnly):
            create(acme, now)
        assert counts(acme) == (0, 0, 0, 0)


class TestDelete:
    def delete(self, connection, now, **more):
        return delete_connection(connection_id=connection.id, actor=actor_of_connection(connection), now=now, **more)

    def test_it_is_disabled_and_its_credentials_destroyed(self, acme, now):
        made = make_connection(acme, now=now)
        self.delete(made, now)
        stored = read_connection(made)
        assert (stored.status, stored.version, stored.deleted_at) == ("disabled", 2, now)
        assert stored.next_sync_at is None
        with tenant_scope(acme.id):
            assert Credentials.objects.count() == 0
        assert leaves_of(made)[-1] == "connection.deleted"
        assert events_of(made) == ["connection.created", "connection.deleted"]

    def test_its_run_ends_and_cannot_go_on(self, acme, now):
        made = make_connection(acme, now=now)
        run = make_running_run(made, now=now)
        self.delete(made, now)
        stored = read_run(run)
        assert (stored.status, code_of(stored)) == ("failed", "connection_disabled")
        with pytest.raises(SyncRunClosed):
            start_run(run_id=run.id, attempt=2, actor=actor_of(acme), now=now)
        fail_run(run_id=run.id, failure=AWAY, will_retry=False, actor=actor_of(acme), now=now)
        assert code_of(read_run(run)) == "connection_disabled"

    def test_its_incident_is_resolved(self, acme, now, settings):
        settings.SYNC_FAILURES_BEFORE_INCIDENT = 1
        made = make_connection(acme, now=now)
        run = make_running_run(made, now=now)
        fail_run(run_id=run.id, failure=AWAY, will_retry=False, actor=actor_of(acme), now=now)
        self.delete(made, now)
        with tenant_scope(acme.id):
            assert Incident.objects.get().state == "resolved"

    def test_twice_is_once(self, acme, now):
        made = make_connection(acme, now=now)
        self.delete(made, now)
        self.delete(made, now)
        assert read_connection(made).version == 2
        assert events_of(made) == ["connection.created", "connection.deleted"]

    def test_a_stale_version_changes_nothing(self, acme, now):
        made = make_connection(acme, now=now)
        with pytest.raises(VersionConflict):
            self.delete(made, now, expected_version=2)
        assert read_connection(made).status == "active"

    def test_another_tenants_is_not_found(self, acme, globex, now):
        made = make_connection(acme, now=now)
        with pytest.raises(NotFound):
            delete_connection(connection_id=made.id, actor=actor_of(globex), now=now)
        assert read_connection(made).status == "active"

    def test_it_cannot_be_synchronised_again(self, acme, now):
        made = make_connection(acme, now=now)
        self.delete(made, now)
        with pytest.raises(ConnectionDisabled):
            request_sync(connection_id=made.id, trigger="api", actor=actor_of(acme), now=now)


class TestAdapter:
    def test_it_is_bound_to_the_decrypted_credentials(self, acme, now, sandbox):
        token = f"test_tkn_{uuid4().hex[:10]}"
        with registry.adapter_for(make_connection(acme, token, now=now)) as bank:
            assert [account.external_id for account in bank.accounts()] == [
                account["id"] for account in sandbox.teller_state(token)["accounts"]
            ]

    def test_without_credentials(self, acme, now):
        made = make_connection(acme, now=now)
        delete_connection(connection_id=made.id, actor=actor_of(acme), now=now)
        with pytest.raises(ProviderError) as caught:
            registry.adapter_for(made)
        assert (caught.value.category, caught.value.code) == (ErrorCategory.PERMANENT, "connection_disabled")

    def test_with_a_key_that_is_gone(self, acme, now, settings):
        made = make_connection(acme, now=now)
        settings.FIELD_KEYS = "t2:" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        with pytest.raises(ProviderError) as caught:
            registry.adapter_for(made)
        assert (caught.value.category, caught.value.code) == (ErrorCategory.AUTH, "credentials_unreadable")

    def test_of_a_provider_that_went_away(self, acme, now):
        made = make_connection(acme, now=now)
        made.provider = "gone"
        with pytest.raises(ProviderError) as caught:
            registry.adapter_for(made)
        assert caught.value.code == "provider_unavailable"


def actor_of_connection(connection):
    from apps.core.actor import system_actor

    return system_actor("tests", tenant_id=connection.tenant_id)
