"""Requests are counted by the limiter, stored by a job, and shown at GET /usage."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.api.limits import TALLY
from apps.core.scope import tenant_scope
from apps.core.shared import gcra
from apps.core.shared.gcra import Bucket, Tally
from apps.tenants.models import RequestCount, Tenant
from apps.tenants.services import store_request_counts
from apps.tenants.tasks import store_request_counts as job
from apps.tenants.usage import Requests, requests_of

TENANT = "/api/v1/tenant"


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    gcra.take_tally(TALLY, part="test")


def tallied() -> dict[str, int]:
    return {what: number for (what, _day), number in gcra.take_tally(TALLY, part="test").items()}


def send(tenant: Tenant, requests: int) -> None:
    for _request in range(requests):
        gcra.admit([], part="test", tally=Tally(TALLY, str(tenant.id)), slots=[gcra.Slots(f"t:{uuid4()}", 1)])


def seen(tenant: Tenant, **ahead: int) -> Requests:
    with tenant_scope(tenant.id):
        return requests_of(tenant, now=timezone.now() + timedelta(**ahead))


def test_whatever_is_admitted_is_counted_for_its_tenant_alone(
    acme: Tenant, acme_viewer: APIClient, globex: Tenant, globex_admin: APIClient, anonymous: APIClient
) -> None:
    for client in (acme_viewer, acme_viewer, globex_admin, anonymous):
        client.get(TENANT)
    acme_viewer.get(f"/api/v1/orders/{uuid4()}")  # answered with 404, but answered
    assert tallied() == {str(acme.id): 3, str(globex.id): 1}


def test_what_a_limit_refuses_is_not_counted(acme: Tenant, acme_viewer: APIClient, settings: Any) -> None:
    settings.RATE_LIMITS = {"key": (0.01, 2), "tenant": (0.01, 9), "address": (1, 9)}
    assert [acme_viewer.get(TENANT).status_code for _request in range(4)] == [200, 200, 429, 429]
    assert tallied() == {str(acme.id): 2}


def test_a_day_is_that_of_the_server() -> None:
    gcra.admit([Bucket("t:day", 1, 1)], part="test", tally=Tally("t:tally", "a"))
    assert gcra.take_tally("t:tally", part="test") == {("a", timezone.now().date()): 1}
    assert gcra.take_tally("t:tally", part="test") == {}


@pytest.mark.worker_login
class TestStored:
    def test_what_was_counted_is_added_to_the_day(self, acme: Tenant, globex: Tenant) -> None:
        send(acme, 3)
        assert store_request_counts(tally=TALLY) == 1
        send(acme, 2)
        send(globex, 1)
        job()
        assert (seen(acme), seen(globex)) == (Requests(5, 5), Requests(1, 1))
        with tenant_scope(acme.id):
            assert RequestCount.objects.count() == 1

    def test_a_month_is_the_sum_of_its_days(self, acme: Tenant) -> None:
        send(acme, 3)
        job()
        assert seen(acme, days=40) == Requests(0, 0)

    def test_nothing_new_changes_nothing(self, acme: Tenant) -> None:
        assert store_request_counts(tally=TALLY) == 0

    def test_a_tenant_of_another_database_is_left_alone(self, acme: Tenant) -> None:
        gcra.admit([Bucket("t:other", 1, 1)], part="test", tally=Tally(TALLY, str(uuid4())))
        send(acme, 1)
        assert store_request_counts(tally=TALLY) == 1


def test_usage_shows_them(acme: Tenant, acme_viewer: APIClient) -> None:
    assert acme_viewer.get("/api/v1/usage").json()["requests"] == {"today": 0, "this_month": 0}
