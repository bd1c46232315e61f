"""When a venue's list is imported: once a day, with whichever connection does best, and once whoever asks."""

from datetime import timedelta
from typing import Any

import pytest

import apps.market.tasks  # noqa: F401  (registers the handler)
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import tenant_scope, write_scope
from apps.jobs.models import Job
from apps.jobs.runner import run_next
from apps.market.models import Listing, ListingImport
from apps.market.services import request_due_imports, request_import
from apps.market.services.schedule import INTERVAL, RETRY
from apps.market.types import IMPORT_LISTINGS
from apps.providers.enums import ErrorCategory
from apps.providers.models import Connection
from apps.tenants.models import Tenant
from tests.factories.market import asset, connect
from tests.factories.venue import Venue
from tests.threads import at_once

pytestmark = pytest.mark.worker_login


def change(connection: Connection, **values: Any) -> None:
    with write_scope(system_actor("tests", tenant_id=connection.tenant_id)):
        Connection.objects.filter(id=connection.id).update(**values)


def import_jobs(tenant: Tenant) -> list[Job]:
    with tenant_scope(tenant.id):
        return list(Job.objects.filter(kind=IMPORT_LISTINGS.name).order_by("id"))


def run() -> None:
    assert run_next(IMPORT_LISTINGS.queue, worker="tests")


def test_a_new_venues_list_is_asked_for_once_and_imported(acme, venue: Venue) -> None:
    connection, now = connect(acme), clock.now()
    venue.assets = [asset()]
    assert [request_due_imports(now=now) for _ in range(3)] == [1, 0, 0]
    [job] = import_jobs(acme)
    assert (job.queue, job.unique_key, job.payload) == (
        "market",
        "venue_one",
        {"connection_id": str(connection.id), "venue": "venue_one"},
    )
    run()
    assert Listing.objects.get().instrument.key == "XNAS:AAPL"
    assert [job.state for job in import_jobs(acme)] == ["succeeded"]


def test_a_list_is_imported_again_after_a_day(acme, venue: Venue) -> None:
    connect(acme)
    venue.assets = [asset()]
    request_due_imports(now=clock.now())
    run()
    done = ListingImport.objects.get().finished_at
    assert done is not None
    assert request_due_imports(now=done + INTERVAL - timedelta(seconds=1)) == 0
    assert request_due_imports(now=done + INTERVAL) == 1


def test_one_that_did_not_finish_is_asked_for_again_of_the_best_connection(acme, globex, venue: Venue) -> None:
    failing, now = connect(acme), clock.now()
    change(failing, consecutive_failures=2)
    request_due_imports(now=now)
    healthy = connect(globex)
    assert request_due_imports(now=now + RETRY - timedelta(seconds=1)) == 0
    assert request_due_imports(now=now + RETRY) == 1
    [job] = import_jobs(globex)
    assert job.payload["connection_id"] == str(healthy.id)


@pytest.mark.parametrize(
    "values",
    [{"last_synced_at": None}, {"status": "needs_attention"}, {"deleted_at": clock.now(), "status": "disabled"}],
    ids=["never worked", "needs attention", "deleted"],
)
def test_a_connection_that_does_not_work_is_not_asked(acme, venue: Venue, values: dict[str, Any]) -> None:
    change(connect(acme), **values)
    assert request_due_imports(now=clock.now()) == 0
    assert import_jobs(acme) == []
    assert not ListingImport.objects.exists()


def test_a_bank_is_not_asked(acme, venue: Venue) -> None:
    from tests.factories.providers import make_connection

    change(make_connection(acme), last_synced_at=clock.now())
    assert request_due_imports(now=clock.now()) == 0


def test_a_connection_that_is_gone_by_then_leaves_no_dead_job(acme, venue: Venue) -> None:
    connect(acme)
    request_due_imports(now=clock.now())
    venue.fail("credentials_refused", ErrorCategory.AUTH)
    run()
    assert [job.state for job in import_jobs(acme)] == ["succeeded"]
    assert not Listing.objects.exists()
    assert ListingImport.objects.get().finished_at is None


def test_a_venue_that_is_away_is_tried_again(acme, venue: Venue) -> None:
    connect(acme)
    request_due_imports(now=clock.now())
    venue.fail()
    run()
    [job] = import_jobs(acme)
    assert (job.state, job.attempts) == ("queued", 1)


def test_of_all_who_ask_at_once_one_does(acme, globex, venue: Venue) -> None:
    connections = [connect(acme), connect(globex)]
    now = clock.now()

    def ask(connection: Connection) -> None:
        actor = system_actor("tests", tenant_id=connection.tenant_id)
        request_import(connection=connection, actor=actor, now=now)

    at_once(ask, connections * 5)
    assert len(import_jobs(acme)) + len(import_jobs(globex)) == 1
