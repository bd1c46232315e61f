"""One line a request: when, where from, who, what, and how it ended; refusals as warnings, with their code."""

import json
import logging
from typing import Any

import pytest
from django.conf import settings
from rest_framework.test import APIClient

from apps.core.logs import ContextFilter, JsonFormatter


@pytest.fixture
def line(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.handler.addFilter(ContextFilter())

    def last() -> dict[str, Any]:
        (record,) = [record for record in caplog.records if record.name == "finops.request"]
        names = ("levelname", "method", "path", "ip", "status", "code", "actor", "tenant_id", "request_id")
        return {name: getattr(record, name) for name in names}

    caplog.set_level(logging.INFO, "finops.request")
    return last


HEADERS = {"X-Request-ID": "seen"}


def test_whoever_is_known_is_named(acme, acme_admin: APIClient, line: Any) -> None:
    acme_admin.get("/api/v1/tenant", headers=HEADERS)
    assert line() == {
        "levelname": "INFO",
        "method": "GET",
        "path": "/api/v1/tenant",
        "ip": "127.0.0.1",
        "status": 200,
        "code": "",
        "actor": "acme admin",
        "tenant_id": str(acme.id),
        "request_id": "seen",
    }


def test_a_permission_that_is_missing_is_logged_with_who_missed_it(acme, acme_viewer: APIClient, line: Any) -> None:
    acme_viewer.post("/api/v1/orders", {}, "json", headers=HEADERS)
    logged = line()
    assert (logged["levelname"], logged["status"], logged["code"]) == ("WARNING", 403, "permission_denied")
    assert (logged["actor"], logged["tenant_id"], logged["ip"]) == ("acme viewer", str(acme.id), "127.0.0.1")


@pytest.mark.parametrize(
    ("path", "code"), [("/api/v1/tenant", "authentication_required"), ("/api/v1/nothing", "not_found")]
)
def test_credentials_that_are_none_and_paths_that_are_none(anonymous: APIClient, path: str, code: str, line: Any):
    anonymous.get(path, headers={"Authorization": "Bearer fop_test_nobody"})
    logged = line()
    assert (logged["levelname"], logged["code"]) == ("INFO" if code == "not_found" else "WARNING", code)


def test_input_that_is_refused(acme_admin: APIClient, line: Any) -> None:
    acme_admin.post("/api/v1/api-keys", {"surprise": 1}, "json")
    assert (line()["levelname"], line()["status"], line()["code"]) == ("INFO", 400, "validation_failed")


def test_too_many_requests(acme_admin: APIClient, line: Any, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "key": (0.01, 0.01)}
    acme_admin.get("/api/v1/tenant")
    assert (line()["levelname"], line()["status"], line()["code"]) == ("WARNING", 429, "rate_limited")


def test_a_path_forges_no_second_line(anonymous: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    anonymous.get('/api/v1/a%0A{"level": "INFO", "event": "forged"}%0D%0A')
    (record,) = [record for record in caplog.records if record.name == "finops.request"]
    (written,) = JsonFormatter().format(record).splitlines()
    assert json.loads(written)["path"] == '/api/v1/a\n{"level": "INFO", "event": "forged"}\r\n'


@pytest.mark.no_database
def test_lines_go_to_standard_error_alone() -> None:
    handlers = settings.LOGGING["handlers"]
    assert {name: handler["class"] for name, handler in handlers.items()} == {"stderr": "logging.StreamHandler"}
    assert handlers["stderr"]["filters"] == ["context", "redaction"]
