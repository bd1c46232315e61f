"""POST, GET, DELETE /connections and /connections/{id}."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.providers.models import Connection, SyncRun
from apps.providers.services import delete_connection, fail_run
from tests.factories.providers import REFUSED, actor_of, events_of, make_connection, make_running_run, read_connection

URL = "/api/v1/connections"
BODY = {"provider": "teller", "credentials": {"access_token": "test_tkn_a"}, "label": "Bank"}


def post(client, body=BODY, key="", **headers):
    return client.post(URL, body, format="json", HTTP_IDEMPOTENCY_KEY=key or str(uuid4()), **headers)


def connections_of(tenant) -> int:
    with tenant_scope(tenant.id):
        return Connection.objects.count()


class TestCreate:
    def test_the_answer_is_the_connection_without_credentials(self, acme, acme_admin):
        response = post(acme_admin)
        assert response.status_code == 201
        body = response.json()
        assert {key: body[key] for key in ("provider", "label", "status", "status_reason", "version")} == {
            "provider": "teller",
            "label": "Bank",
            "status": "active",
            "status_reason": None,
            "version": 1,
        }
        assert (body["last_synced_at"], body["consecutive_failures"], body["external_id"]) == (None, 0, "")
        assert body["next_sync_at"].endswith("Z")
        assert "credentials" not in body
        assert "test_tkn_a" not in response.content.decode()
        assert response["Location"] == f"{URL}/{body['id']}"
        assert response["ETag"] == '"1"'
        assert acme_admin.get(response["Location"]).json() == body

    def test_the_first_sync_is_queued(self, acme, acme_admin):
        made = post(acme_admin).json()
        [run] = acme_admin.get(f"{URL}/{made['id']}/runs").json()["data"]
        assert (run["status"], run["trigger"], run["connection_id"]) == ("queued", "api", made["id"])

    def test_the_idempotency_key_is_required(self, acme, acme_admin):
        response = acme_admin.post(URL, BODY, format="json")
        assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")
        assert connections_of(acme) == 0

    def test_the_same_key_and_body_is_the_first_answer(self, acme, acme_admin):
        first, second = post(acme_admin, key="k1"), post(acme_admin, key="k1")
        assert second.content == first.content
        assert (second.status_code, second["Idempotency-Replayed"]) == (201, "true")
        assert (second["Location"], second["ETag"]) == (first["Location"], first["ETag"])
        assert connections_of(acme) == 1

    def test_the_same_enrolment_twice_makes_two(self, acme, acme_admin):
        assert [post(acme_admin).status_code for _ in range(2)] == [201, 201]
        assert connections_of(acme) == 2

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            ({}, {("provider", "required"), ("credentials", "required")}),
            ({**BODY, "provider": "nobank"}, {("provider", "unknown_provider")}),
            ({**BODY, "credentials": {}}, {("credentials.access_token", "required")}),
            ({**BODY, "credentials": {"access_token": "a b"}}, {("credentials.access_token", "invalid")}),
            ({**BODY, "credentials": "text"}, {("credentials", "not_a_dict")}),
            ({**BODY, "label": "x" * 101}, {("label", "max_length")}),
            ({**BODY, "color": "red"}, {("color", "unknown_field")}),
        ],
    )
    def test_each_error_names_its_field(self, acme, acme_admin, body, errors):
        response = post(acme_admin, body)
        problem = response.json()
        assert (response.status_code, problem["code"]) == (400, "validation_failed")
        assert {(error["field"], error["code"]) for error in problem["errors"]} == errors
        assert connections_of(acme) == 0

    def test_who_may(self, acme, acme_viewer, anonymous):
        assert post(anonymous).status_code == 401
        assert post(acme_viewer).status_code == 403
        assert post(acme_viewer, {}).status_code == 403
        assert connections_of(acme) == 0


class TestList:
    def test_newest_first_without_the_disabled(self, acme, acme_admin, now):
        first, second, third = (make_connection(acme, f"test_tkn_{name}", now=now) for name in "abc")
        delete_connection(connection_id=second.id, actor=actor_of(acme), now=now)

        def ids(query: str = "") -> list[str]:
            return [row["id"] for row in acme_admin.get(f"{URL}{query}").json()["data"]]

        assert ids() == [str(third.id), str(first.id)]
        assert ids("?status=disabled") == [str(second.id)]
        assert ids("?status=needs_attention") == []
        assert ids("?provider=teller") == [str(third.id), str(first.id)]
        assert ids("?provider=plaid") == []

    def test_pages(self, acme, acme_admin, now):
        made = [make_connection(acme, f"test_tkn_{name}", now=now) for name in "abc"]
        first = acme_admin.get(f"{URL}?limit=2").json()
        second = acme_admin.get(f"{URL}?limit=2&cursor={first['next_cursor']}").json()
        assert [row["id"] for row in first["data"] + second["data"]] == [str(one.id) for one in reversed(made)]
        assert second["next_cursor"] is None

    @pytest.mark.parametrize("query", ["?status=open", "?color=red", "?limit=0", "?cursor=x"])
    def test_a_bad_query(self, acme_admin, query):
        assert acme_admin.get(f"{URL}{query}").status_code == 400

    def test_only_ones_own(self, acme, globex_admin, now):
        make_connection(acme, now=now)
        assert globex_admin.get(URL).json() == {"data": [], "next_cursor": None}

    def test_as_many_queries_whatever_the_number(self, acme, acme_admin, now):
        def count() -> int:
            with CaptureQueriesContext(connection) as captured:
                acme_admin.get(URL)
            return len(captured)

        make_connection(acme, "test_tkn_a", now=now)
        one = count()
        for name in "bcde":
            make_connection(acme, f"test_tkn_{name}", now=now)
        assert count() == one

    def test_who_may(self, acme_viewer, anonymous):
        assert acme_viewer.get(URL).status_code == 200
        assert anonymous.get(URL).status_code == 401


class TestRead:
    def test_one_that_needs_attention_says_what_to_do(self, acme, acme_viewer, now):
        made = make_connection(acme, now=now)
        run = make_running_run(made, now=now)
        fail_run(run_id=run.id, failure=REFUSED, will_retry=False, actor=actor_of(acme), now=now)
        response = acme_viewer.get(f"{URL}/{made.id}")
        body = response.json()
        assert (body["status"], body["version"], response["ETag"]) == ("needs_attention", 2, '"2"')
        assert body["status_reason"] == {"code": "credentials_refused", "message": "Connect again."}

    def test_another_tenants_and_none_are_the_same(self, acme, globex_admin, now):
        made = make_connection(acme, now=now)
        for identifier in (made.id, new_id()):
            response = globex_admin.get(f"{URL}/{identifier}")
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


class TestDelete:
    def test_it_stays_readable_as_disabled(self, acme, acme_admin, now):
        made = make_connection(acme, now=now)
        response = acme_admin.delete(f"{URL}/{made.id}", HTTP_IF_MATCH='"1"')
        assert (response.status_code, response.content) == (204, b"")
        body = acme_admin.get(f"{URL}/{made.id}").json()
        assert (body["status"], body["version"], body["next_sync_at"]) == ("disabled", 2, None)

    @pytest.mark.parametrize("header", ['"2"', "nonsense", '"' + "9" * 5000 + '"'])
    def test_another_version(self, acme, acme_admin, now, header):
        made = make_connection(acme, now=now)
        response = acme_admin.delete(f"{URL}/{made.id}", HTTP_IF_MATCH=header)
        assert (response.status_code, response.json()["code"]) == (412, "version_conflict")
        assert read_connection(made).status == "active"

    @pytest.mark.parametrize("headers", [{}, {"HTTP_IF_MATCH": "nonsense"}])
    def test_another_tenants_is_not_found_whatever_the_version(self, acme, globex_admin, now, headers):
        made = make_connection(acme, now=now)
        assert globex_admin.delete(f"{URL}/{made.id}", **headers).status_code == 404
        assert read_connection(made).status == "active"
        assert events_of(made) == ["connection.created"]

    def test_who_may(self, acme, acme_viewer, anonymous, now):
        made = make_connection(acme, now=now)
        assert acme_viewer.delete(f"{URL}/{made.id}").status_code == 403
        assert anonymous.delete(f"{URL}/{made.id}").status_code == 401
        assert read_connection(made).status == "active"


class TestSync:
    def sync(self, client, connection_id, **headers):
        return client.post(f"{URL}/{connection_id}/sync", **headers)

    def test_it_answers_the_run(self, acme, acme_admin, now):
        made = make_connection(acme, now=now)
        response = self.sync(acme_admin, made.id)
        run = response.json()
        assert run.pop("run") == run
        assert (response.status_code, run["status"], run["connection_id"]) == (202, "queued", str(made.id))
        assert response["Location"] == f"/api/v1/sync-runs/{run['id']}"
        assert acme_admin.get(response["Location"]).json() == run
        assert {name: run[name] for name in ("added", "modified", "removed", "unchanged", "quarantined", "error")} == {
            "added": 0,
            "modified": 0,
            "removed": 0,
            "unchanged": 0,
            "quarantined": 0,
            "error": None,
        }
        assert (run["started_at"], run["finished_at"]) == (None, None)

    def test_while_one_waits_it_is_the_same(self, acme, acme_admin, now):
        made = make_connection(acme, now=now)
        assert self.sync(acme_admin, made.id).json()["id"] == self.sync(acme_admin, made.id).json()["id"]
        with tenant_scope(acme.id):
            assert SyncRun.objects.count() == 1

    def test_a_key_replays(self, acme, acme_admin, now):
        made = make_connection(acme, now=now)
        first, second = (self.sync(acme_admin, made.id, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
        assert (second.status_code, second.content) == (202, first.content)
        assert second["Idempotency-Replayed"] == "true"

    def test_a_disabled_one(self, acme, acme_admin, now):
        made = make_connection(acme, now=now)
        delete_connection(connection_id=made.id, actor=actor_of(acme), now=now)
        response = self.sync(acme_admin, made.id)
        assert (response.status_code, response.json()["code"]) == (409, "connection_disabled")

    def test_another_version(self, acme, acme_admin, now):
        made = make_connection(acme, now=now)
        assert self.sync(acme_admin, made.id, HTTP_IF_MATCH='"9"').json()["code"] == "version_conflict"

    def test_who_may(self, acme, acme_viewer, globex_admin, anonymous, now):
        made = make_connection(acme, now=now)
        statuses = [self.sync(client, made.id).status_code for client in (anonymous, acme_viewer, globex_admin)]
        assert statuses == [401, 403, 404]
        with tenant_scope(acme.id):
            assert SyncRun.objects.count() == 1
