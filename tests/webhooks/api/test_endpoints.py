"""GET, POST, PATCH, DELETE /webhooks/endpoints, and what can be asked of one."""

from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.outbox.catalogue import API_VERSIONS
from apps.webhooks.models import Delivery, Endpoint, EndpointSecret
from apps.webhooks.services import disable_gone_endpoint, update_endpoint
from tests.factories.webhooks import deliveries_of, make_endpoint, statuses_of, stored_endpoint
from tests.name_server import NameServer

URL = "/api/v1/webhooks/endpoints"
GOOD = {"url": "https://93.184.215.14/hook", "event_types": ["order.*"], "description": "the shop"}


def post(client, body=GOOD, path="", **headers):
    return client.post(f"{URL}{path}", body, format="json", **headers)


def endpoints_of(tenant) -> int:
    with tenant_scope(tenant.id):
        return Endpoint.objects.count()


class TestCreate:
    def test_the_answer_has_the_secret_and_no_later_one_does(self, acme, acme_admin):
        response = post(acme_admin)
        body = response.json()
        assert response.status_code == 201
        assert {key: body[key] for key in (*GOOD, "status", "disabled_reason", "version")} == {
            **GOOD,
            "status": "enabled",
            "disabled_reason": None,
            "version": 1,
        }
        assert body["secret"].startswith("whsec_")
        assert (response["Location"], response["ETag"]) == (f"{URL}/{body['id']}", '"1"')
        assert response["Cache-Control"] == "no-store"
        secret = body.pop("secret")
        read = acme_admin.get(response["Location"])
        assert (read.status_code, read.json(), read["ETag"]) == (200, body, '"1"')
        assert acme_admin.get(URL).json() == {"data": [body], "next_cursor": None}
        assert secret not in read.content.decode()

    def test_all_but_the_url_can_be_left_out(self, acme, acme_admin):
        body = post(acme_admin, {"url": "https://93.184.215.14/"}).json()
        assert (body["event_types"], body["description"]) == ([], "")

    def test_an_endpoint_keeps_to_the_newest_version_of_its_day_or_to_one_that_is_asked_for(self, acme, acme_admin):
        assert post(acme_admin).json()["api_version"] == API_VERSIONS[-1]
        assert post(acme_admin, {**GOOD, "api_version": "2026-11-22"}).json()["api_version"] == "2026-11-22"

    def test_a_version_that_there_is_not_is_refused_with_those_that_there_are(self, acme, acme_admin):
        for version in ("2026-11-21", "1", "newest"):
            refused = post(acme_admin, {**GOOD, "api_version": version})
            assert (refused.status_code, refused.json()["code"]) == (400, "unknown_api_version")
            assert refused.json()["errors"] == [
                {"field": "api_version", "code": "unknown_api_version", "message": "There are: 2026-11-22."}
            ]
        for other in ("", None, 1, "2026-11-22T00:00:00Z"):
            assert post(acme_admin, {**GOOD, "api_version": other}).status_code == 400
        assert endpoints_of(acme) == 0

    def test_the_same_key_is_the_same_endpoint_and_secret(self, acme, acme_admin):
        first, second = (post(acme_admin, HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2))
        assert second.content == first.content
        assert (second["Idempotency-Replayed"], endpoints_of(acme)) == ("true", 1)
        other = post(acme_admin, {**GOOD, "description": "else"}, HTTP_IDEMPOTENCY_KEY="k1")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize(
        ("change", "code", "fields"),
        [
            ({"url": "http://hooks.example.com/"}, "url_refused", ["url"]),
            ({"url": "https://127.0.0.1.:443/"}, "url_refused", ["url"]),
            ({"url": "https://169.254.169.254/"}, "url_refused", ["url"]),
            ({"url": "https://acme:secret@hooks.example.com/"}, "url_refused", ["url"]),
            ({"url": "https://[v1.x]/"}, "url_refused", ["url"]),
            ({"url": "https://[fe80::1%25eth0]/"}, "url_refused", ["url"]),
            ({"url": "nonsense"}, "url_refused", ["url"]),
            ({"url": None}, "validation_failed", ["url"]),
            ({"url": 5}, "validation_failed", ["url"]),
            ({"url": ["https://93.184.215.14/"]}, "validation_failed", ["url"]),
            ({"event_types": ["order.exploded", "x"]}, "unknown_event_type", ["event_types", "event_types"]),
            ({"event_types": "order.*"}, "validation_failed", ["event_types"]),
            ({"description": "x" * 501}, "validation_failed", ["description"]),
            ({"secret": "whsec_mine"}, "validation_failed", ["secret"]),
        ],
    )
    def test_what_is_refused_is_named_and_makes_nothing(self, acme, acme_admin, change, code, fields):
        response = post(acme_admin, {**GOOD, **change})
        assert (response.status_code, response.json()["code"]) == (400, code)
        assert [error["field"] for error in response.json()["errors"]] == fields
        assert endpoints_of(acme) == 0

    def test_a_name_that_leads_to_this_machine_is_refused_early(self, acme, acme_admin, monkeypatch):
        monkeypatch.setattr(settings, "EGRESS_ALLOW_LOOPBACK", False)
        with NameServer({"hooks.example.com": ["127.0.0.1"]}) as server:
            monkeypatch.setattr(settings, "EGRESS_NAME_SERVERS", [server.place])
            response = post(acme_admin, {"url": "https://hooks.example.com/"})
        assert (response.status_code, response.json()["code"]) == (400, "url_refused")
        assert response.json()["errors"][0]["message"] == "The host leads to an address that is not public."
        assert endpoints_of(acme) == 0

    def test_a_name_that_does_not_resolve_yet_is_taken(self, acme, acme_admin):
        assert post(acme_admin, {"url": "https://nowhere.invalid/"}).status_code == 201


class TestChange:
    def test_what_is_given_changes_and_the_rest_stays(self, acme, acme_admin):
        made = post(acme_admin).json()
        response = acme_admin.patch(f"{URL}/{made['id']}", {"event_types": ["*"]}, format="json", HTTP_IF_MATCH='"1"')
        assert response.status_code == 200
        assert (response.json()["event_types"], response.json()["description"]) == (["*"], "the shop")
        assert (response.json()["version"], response["ETag"]) == (2, '"2"')
        assert "secret" not in response.json()

    def test_a_stale_version_changes_nothing(self, acme, acme_admin):
        made = post(acme_admin).json()
        for method, body in (("patch", {"description": "new"}), ("delete", None)):
            response = getattr(acme_admin, method)(f"{URL}/{made['id']}", body, format="json", HTTP_IF_MATCH='"7"')
            assert (response.status_code, response.json()["code"]) == (412, "version_conflict")
        assert acme_admin.get(f"{URL}/{made['id']}").json()["version"] == 1

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"url": "https://10.1.2.3/"}, "url_refused"),
            ({"event_types": ["nothing"]}, "unknown_event_type"),
            ({"api_version": "2026-11-21"}, "unknown_api_version"),
            ({"status": "paused"}, "validation_failed"),
            ({"version": 3}, "validation_failed"),
        ],
    )
    def test_what_is_refused_changes_nothing(self, acme, acme_admin, change, code):
        made = post(acme_admin).json()
        response = acme_admin.patch(f"{URL}/{made['id']}", change, format="json")
        assert (response.status_code, response.json()["code"]) == (400, code)
        assert acme_admin.get(f"{URL}/{made['id']}").json()["version"] == 1

    def test_who_is_gone_says_why_and_can_be_enabled_again(self, acme, acme_admin, now: datetime):
        made = post(acme_admin).json()
        actor = system_actor("tests", tenant_id=acme.id)
        disable_gone_endpoint(endpoint_id=made["id"], url=made["url"], actor=actor, now=now)
        shown = acme_admin.get(f"{URL}/{made['id']}").json()
        assert (shown["status"], shown["disabled_reason"]) == ("disabled", "gone")
        again = acme_admin.patch(f"{URL}/{made['id']}", {"status": "enabled"}, format="json").json()
        assert (again["status"], again["disabled_reason"], again["version"]) == ("enabled", None, 3)


class TestDelete:
    def test_a_deleted_endpoint_is_not_there(self, acme, acme_admin):
        made = post(acme_admin).json()
        assert acme_admin.delete(f"{URL}/{made['id']}").status_code == 204
        for method in ("get", "patch", "delete"):
            assert getattr(acme_admin, method)(f"{URL}/{made['id']}").status_code == 404
        assert acme_admin.get(URL).json()["data"] == []
        with tenant_scope(acme.id):
            assert not EndpointSecret.objects.exists()


class TestRotation:
    def test_a_new_secret_is_shown_once(self, acme, acme_admin):
        made = post(acme_admin).json()
        first, second = (
            post(acme_admin, {"grace_seconds": 60}, f"/{made['id']}/rotate-secret", HTTP_IDEMPOTENCY_KEY="k")
            for _ in range(2)
        )
        assert (first.status_code, second.content) == (200, first.content)
        assert first.json()["secret"] != made["secret"]
        assert {**first.json(), "secret": ""} == {**acme_admin.get(f"{URL}/{made['id']}").json(), "secret": ""}

    def test_without_a_grace_it_is_a_day(self, acme, acme_admin):
        made = post(acme_admin).json()
        before = clock.now()
        assert post(acme_admin, {}, f"/{made['id']}/rotate-secret").status_code == 200
        with tenant_scope(acme.id):
            old = EndpointSecret.objects.get(expires_at__isnull=False)
        assert old.expires_at is not None
        assert timedelta(days=1) <= old.expires_at - before < timedelta(days=1, minutes=1)

    @pytest.mark.parametrize("grace", [-1, 604_801, "soon", 1.5, "3600", "1E2", True, None])
    def test_graces_that_are_refused(self, acme, acme_admin, grace):
        made = post(acme_admin).json()
        response = post(acme_admin, {"grace_seconds": grace}, f"/{made['id']}/rotate-secret")
        assert (response.status_code, response.json()["code"]) == (400, "validation_failed")
        assert [error["field"] for error in response.json()["errors"]] == ["grace_seconds"]
        assert acme_admin.get(f"{URL}/{made['id']}").json()["version"] == 1


class TestTest:
    def test_a_test_is_queued(self, acme, acme_admin):
        made = post(acme_admin).json()
        response = post(acme_admin, None, f"/{made['id']}/test")
        body = response.json()
        assert response.status_code == 202
        assert (body["event_type"], body["status"], body["attempts"]) == ("webhook.test", "pending", [])
        assert (body["endpoint_id"], body["sequence"], body["previous_id"]) == (made["id"], 1, None)
        assert response["Location"] == f"/api/v1/webhooks/deliveries/{body['id']}"
        assert acme_admin.get(response["Location"]).json() == body

    def test_a_disabled_endpoint_gets_none(self, acme, acme_admin, now: datetime):
        endpoint = make_endpoint(acme, now=now).endpoint
        actor = system_actor("tests", tenant_id=acme.id)
        update_endpoint(endpoint_id=endpoint.id, status="disabled", actor=actor, now=now)
        for path, body in (("test", None), ("recover", {"since": "2026-01-01T00:00:00Z"})):
            response = post(acme_admin, body, f"/{endpoint.id}/{path}")
            assert (response.status_code, response.json()["code"]) == (409, "endpoint_disabled")
        assert deliveries_of(endpoint) == []


class TestRecovery:
    def test_what_was_discarded_is_queued_again(self, acme, acme_admin):
        made = post(acme_admin).json()
        for _ in range(2):
            post(acme_admin, None, f"/{made['id']}/test")
        for status in ("disabled", "enabled"):
            acme_admin.patch(f"{URL}/{made['id']}", {"status": status}, format="json")
        later = (clock.now() + timedelta(hours=1)).isoformat()
        none = post(acme_admin, {"since": later}, f"/{made['id']}/recover")
        assert (none.status_code, none.json()["queued_again"]) == (202, 0)
        both = post(acme_admin, {"since": "2026-01-01T00:00:00Z"}, f"/{made['id']}/recover")
        assert (both.status_code, both.json()["queued_again"], both.json()["status"]) == (202, 2, "finished")
        told = acme_admin.get(f"{URL}/{made['id']}/recoveries").json()["data"]
        assert [(one["id"], one["total"], one["queued_again"]) for one in told] == [
            (both.json()["id"], 2, 2),
            (none.json()["id"], 0, 0),
        ]
        with tenant_scope(acme.id):
            endpoint = Endpoint.objects.get()
        assert statuses_of(endpoint) == ["pending", "pending"]

    @pytest.mark.parametrize("body", [{}, {"since": "yesterday"}, {"since": None}])
    def test_since_when_must_be_said(self, acme, acme_admin, body):
        made = post(acme_admin).json()
        response = post(acme_admin, body, f"/{made['id']}/recover")
        assert (response.status_code, response.json()["code"]) == (400, "validation_failed")


def test_another_tenants_endpoint_is_not_there(acme, globex, acme_admin):
    theirs = make_endpoint(globex).endpoint
    for id_ in (theirs.id, new_id()):
        assert acme_admin.get(f"{URL}/{id_}").status_code == 404
        assert acme_admin.patch(f"{URL}/{id_}", {"description": "x"}, format="json").status_code == 404
        assert acme_admin.delete(f"{URL}/{id_}").status_code == 404
        for path in ("rotate-secret", "test", "recover"):
            assert post(acme_admin, {}, f"/{id_}/{path}").status_code == 404
    assert stored_endpoint(theirs).version == 1
    with tenant_scope(globex.id):
        assert not Delivery.objects.exists()


def test_as_many_queries_whatever_the_number(acme, acme_admin):
    counts = []
    for _ in range(2):
        for _ in range(3):
            make_endpoint(acme)
        with CaptureQueriesContext(connection) as queries:
            assert acme_admin.get(URL).status_code == 200
        counts.append(sum("webhooks_" in query["sql"] for query in queries))
    assert counts == [1, 1]
