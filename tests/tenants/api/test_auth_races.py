"""Whoever signs in while the password or the factors change does not stay in with what was good before."""

from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from apps.core import clock
from apps.tenants.models import Tenant
from apps.users.services import begin_totp
from tests.backoffice.staff import code_of
from tests.conftest import client_for
from tests.factories.tenants import make_member
from tests.factories.users import PASSWORD
from tests.tenants.api.calls import sign_in, signed_in
from tests.threads import begin, blocked_sessions
from tests.waiting import wait_until

NEW = "there is no spoon"


def change_password(client: APIClient) -> Any:
    body = {"current_password": PASSWORD, "new_password": NEW}
    return client.post("/api/v1/auth/password", body, format="json")


def confirm_authenticator(client: APIClient) -> Any:
    user_id = client.get("/api/v1/me").json()["principal"]["id"]
    device = begin_totp(user_id=user_id, name="phone", now=clock.now())
    return client.post(f"/api/v1/auth/factors/totp/{device.id}/confirm", {"otp": code_of(device)}, format="json")


@pytest.mark.commits
@pytest.mark.parametrize("change", [change_password, confirm_authenticator])
def test_a_session_that_starts_meanwhile_ends_with_the_others(acme: Tenant, change: Any) -> None:
    make_member(acme, "ada", "billing")
    client = signed_in("ada")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE users_refreshtoken IN SHARE MODE")  # the password is right, nobody is in yet
        entering = begin(lambda: sign_in("ada"))
        wait_until(lambda: blocked_sessions() == 1, what="the sign-in to wait")
        changing: Future[Any] = begin(lambda: change(client))
        wait_until(lambda: blocked_sessions() == 2 or changing.done(), what="the change")
    entered, changed = entering.result(20), changing.result(20)
    assert changed.status_code in (200, 204)
    assert entered.status_code == 200
    assert client_for(entered.json()["access"]).get("/api/v1/me").status_code == 401
