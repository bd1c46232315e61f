"""`manage.py remove_factors`: the way back for a member who has lost everything but the password."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.core import clock
from apps.core.actor import system_actor
from apps.tenants.models import Tenant
from apps.users.models import Authenticator
from apps.users.services import add_totp_device
from tests.factories.tenants import make_member
from tests.factories.users import make_user
from tests.tenants.api.calls import problem, sign_in, signed_in
from tests.tenants.records import leaves


def test_a_member_gets_in_by_password_alone_and_no_session_goes_on(acme: Tenant) -> None:
    ada = make_member(acme, "ada", "viewer")
    client = signed_in("ada")
    add_totp_device(user=ada, actor=system_actor("tests"), now=clock.now())
    assert problem(sign_in("ada"))[:2] == (401, "otp_required")
    said = StringIO()
    call_command("remove_factors", "ada", stdout=said)
    assert said.getvalue() == "Second factors of 'ada' that are gone: 1. The password alone opens now.\n"
    assert client.get("/api/v1/me").status_code == 401
    assert sign_in("ada").status_code == 200
    assert ("user.second_factor_removed", {"factors": [1, 0]}) in leaves(None)


def test_staff_keep_theirs() -> None:
    boss = make_user("boss", is_staff=True)
    add_totp_device(user=boss, actor=system_actor("tests"), now=clock.now())
    with pytest.raises(CommandError, match="enrol_staff"):
        call_command("remove_factors", "boss")
    with pytest.raises(CommandError, match="no user 'nobody'"):
        call_command("remove_factors", "nobody")
    assert Authenticator.objects.count() == 1
