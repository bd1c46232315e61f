"""Signing staff in: by the form, with real one-time codes, or straight into a session."""

import time
from typing import Any

from django.test import Client

from apps.core import clock
from apps.core.actor import system_actor
from apps.users.models import Authenticator, User
from apps.users.services import add_totp_device
from finops.demo_file import one_time_code
from tests.factories.users import PASSWORD

LOGIN = "/admin/login/"


def enrol(user: User) -> Authenticator:
    """Give a user a confirmed authenticator."""
    return add_totp_device(user=user, actor=system_actor("tests"), now=clock.now())


def code_of(device: Authenticator, *, ahead: int = 0) -> str:
    """Return the code that the device's app shows now, or `ahead` periods later."""
    return one_time_code(device.secret, time.time() + ahead * device.PERIOD_SECONDS)


def wrong_code_of(device: Authenticator) -> str:
    """Return a code that none of the accepted periods has."""
    taken = {code_of(device, ahead=ahead) for ahead in range(-2, 4)}
    return next(code for code in (str(digit) * 6 for digit in range(10)) if code not in taken)


def post_login(client: Client, *, username: str = "staff", password: str = PASSWORD, code: str = "") -> Any:
    """Send the sign-in form."""
    return client.post(f"{LOGIN}?next=/admin/", {"username": username, "password": password, "otp_token": code})


def open_session(user: User, device: Authenticator) -> Client:
    """Return a client that is signed in with this device, as the form would leave it."""
    client = Client(headers={"X-Request-ID": "request-of-staff"})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session["otp_device_id"] = device.persistent_id
    session["proved_at"] = clock.now().isoformat()
    session.save()
    return client


def wait_for_fresh_period(device: Authenticator) -> None:
    """Wait until the current code stays valid for a few seconds more."""
    left = device.PERIOD_SECONDS - time.time() % device.PERIOD_SECONDS
    if left < 3:
        time.sleep(left + 0.1)
