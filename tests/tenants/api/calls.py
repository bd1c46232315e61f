"""Shared by the endpoint tests: signing in, and reading problem documents."""

from typing import Any

from rest_framework.test import APIClient

from tests.conftest import client_for
from tests.factories.users import PASSWORD


def sign_in(username: str, password: str = PASSWORD, **more: str) -> Any:
    """POST /auth/token as an anonymous client and return the response."""
    body = {"username": username, "password": password, **more}
    return client_for().post("/api/v1/auth/token", body, format="json")


def signed_in(username: str, **more: str) -> APIClient:
    """Return a client that sends a fresh access token of this user."""
    return client_for(sign_in(username, **more).json()["access"])


def problem(response: Any) -> tuple[int, str, str]:
    """Return status, code and detail of a problem document, checking its frame."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["type"] == f"http://testserver/problems/{body['code']}"
    assert body["request_id"] == response["X-Request-ID"]
    return body["status"], body["code"], body["detail"]


def field_errors(response: Any) -> list[tuple[str, str]]:
    """Return (field, code) of each error of a validation problem."""
    return [(error["field"], error["code"]) for error in response.json()["errors"]]
