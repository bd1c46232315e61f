"""Signing in: username, password and a one-time code; what is refused, counted, locked and recorded."""

import socket
from io import StringIO

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.users.models import Authenticator
from apps.users.services.factors import make_recovery_codes, new_authenticator
from tests.backoffice.staff import LOGIN, code_of, enrol, open_session, post_login, wait_for_fresh_period, wrong_code_of
from tests.factories.audit import opened
from tests.factories.users import PASSWORD, make_user
from tests.tenants.records import leaves

REFUSED = "The username, password or code is not right."


@pytest.fixture
def client() -> Client:
    return Client(headers={"X-Request-ID": "sign-in"})


def log() -> list[tuple]:
    """Return the installation's log of access: (action, actor, target, changes)."""
    with staff_scope():
        entries = AuditEntry.objects.filter(tenant_id=None, action__startswith="staff.").order_by("position")
        return [(entry.action, entry.actor["label"], entry.target_id, entry.changes) for entry in opened(entries)]


def is_inside(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_the_right_three_open_the_admin(client, staff, device):
    wait_for_fresh_period(device)
    response = post_login(client, code=code_of(device))
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert is_inside(client)
    assert log() == [("staff.signed_in", "staff", str(staff.pk), {"factor": [None, "totp"]})]
    with staff_scope():
        [entry] = opened(AuditEntry.objects.filter(action="staff.signed_in"))
    assert entry.actor["ip"] == "127.0.0.1"
    assert entry.request_id == "sign-in"


def test_a_code_works_once(client, device):
    wait_for_fresh_period(device)
    code = code_of(device)
    post_login(client, code=code)
    second = Client()
    response = post_login(second, code=code)
    assert response.status_code == 200
    assert REFUSED in response.content.decode()
    assert not is_inside(second)


def test_a_recovery_code_opens_the_admin_once(client, staff, device):
    with staff_scope():
        code = make_recovery_codes(staff, system_actor("tests"), clock.now())[0]
    assert post_login(client, code=code).status_code == 302
    assert is_inside(client)
    second = Client()
    assert REFUSED in post_login(second, code=code).content.decode()
    assert not is_inside(second)
    with staff_scope():
        [used] = opened(AuditEntry.objects.filter(action="user.recovery_code_used"))
    assert (used.actor["label"], used.actor["ip"], used.changes) == ("staff", "127.0.0.1", {"left": [10, 9]})


@pytest.mark.parametrize(
    ("username", "password"), [("staff", "not the password"), ("nobody", "correct horse battery"), ("Staff", "")]
)
def test_a_wrong_password_or_name_is_refused(client, staff, device, username, password):
    response = post_login(client, username=username, password=password, code=code_of(device))
    assert response.status_code == 200
    assert not is_inside(client)
    if password:
        known = str(staff.pk) if username == "staff" else "unknown"
        changes = {"reason": [None, "credentials"]}
        assert log() == [("staff.sign_in_refused", "anonymous", known, changes)]


def test_a_wrong_code_is_refused_in_the_same_words_and_counted(client, staff, device):
    code = wrong_code_of(device)
    response = post_login(client, code=code)
    assert response.status_code == 200
    assert f'value="{code}"' not in response.content.decode()
    assert REFUSED in response.content.decode()
    assert not is_inside(client)
    changes = {"reason": [None, "code"]}
    assert log() == [("staff.sign_in_refused", "anonymous", str(staff.pk), changes)]
    assert AccessAttempt.objects.get().failures_since_start == 1


@pytest.mark.parametrize(
    ("code", "message"),
    [("", "Enter the six-digit code"), ("12345", "The code has six digits"), ("abcdef", "The code has six digits")],
)
def test_without_a_code_nothing_is_checked(client, device, code, message):
    response = post_login(client, code=code)
    assert message in response.content.decode()
    assert not is_inside(client)
    assert log() == []
    assert not AccessAttempt.objects.exists()


def test_without_a_confirmed_authenticator_nobody_enters(client, staff):
    new_authenticator(user=staff, name="new phone", confirmed=False, now=clock.now())
    response = post_login(client, code="123456")
    text = response.content.decode()
    assert "no confirmed authenticator" in text
    assert "manage.py enrol_staff staff" in text
    assert not is_inside(client)
    assert log() == [("staff.sign_in_refused", "anonymous", str(staff.pk), {"reason": [None, "no_device"]})]


@pytest.mark.parametrize("role", ["member", "deactivated"])
def test_only_active_staff_enter(client, database, role):
    user = make_user("somebody", is_staff=role == "deactivated")
    if role == "deactivated":
        user.is_active = False
        user.save(update_fields=["is_active"])
    device = enrol(user)
    response = post_login(client, username="somebody", code=code_of(device))
    assert REFUSED in response.content.decode()
    assert not is_inside(client)
    assert not is_inside(open_session(user, device)), "a session from elsewhere does not open it either"


def test_a_session_without_a_code_is_sent_to_the_sign_in(staff):
    client = Client()
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get("/admin/jobs/job/")
    assert (response.status_code, response["Location"]) == (302, f"{LOGIN}?next=/admin/jobs/job/")


def test_an_address_cannot_try_names_without_end(client, database, settings):
    settings.RATE_LIMITS = {"address": (0.01, 100), "sign_in": (0.01, 2)}
    answers = [post_login(client, username=f"name-{number}", code="123456") for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2]["Retry-After"], "Try again in 100 seconds" in answers[2].content.decode()) == ("100", True)


def test_nobody_signs_in_while_attempts_cannot_be_counted(client, staff, device, settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    answer = post_login(client, code=code_of(device))
    assert answer.status_code == 503
    assert "Nobody can sign in while attempts cannot be counted." in answer.content.decode()
    assert not is_inside(client)


def test_codes_cannot_be_tried_without_end(client, staff, device):
    for _attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        assert post_login(client, code=wrong_code_of(device)).status_code == 200
    response = post_login(client, code=wrong_code_of(device))
    text = response.content.decode()
    assert response.status_code == 429
    assert "Too many failed sign-ins" in text
    assert "for 15 minutes" in text
    assert response["Retry-After"] == "900"
    # Even the right three do not open it now, nor from a fresh client.
    Authenticator.objects.filter(pk=device.pk).update(throttling_failure_timestamp=None, throttling_failure_count=0)
    wait_for_fresh_period(device)
    assert post_login(Client(), code=code_of(device)).status_code == 429
    assert log()[-1][3] == {"reason": [None, "locked_out"]}
    assert len(log()) == settings.AXES_FAILURE_LIMIT, "whoever is locked out cannot fill the log"


def test_staff_lift_a_lock_and_it_is_recorded(staff_client, client, device):
    for _attempt in range(settings.AXES_FAILURE_LIMIT):
        post_login(client, username="locked", password="wrong password", code="123456")
    attempt = AccessAttempt.objects.get(username="locked")
    url = f"/admin/axes/accessattempt/{attempt.pk}/do/lift/"
    assert "Make sure that it was the person themselves" in staff_client.post(url).content.decode()
    assert AccessAttempt.objects.filter(username="locked").exists()
    staff_client.post(url, {"confirmed": "1"})
    assert not AccessAttempt.objects.filter(username="locked").exists()
    action, who, _target, changes = log()[-1]
    assert (action, who) == ("staff.lockout_lifted", "staff")
    assert changes == {"username": ["locked", None], "ip": ["127.0.0.1", None], "attempts": [1, 0]}
    assert post_login(client, username="locked", password="wrong password", code="123456").status_code == 200


def test_signing_out_closes_the_session_and_is_recorded(staff_client, staff):
    response = staff_client.post("/admin/logout/")
    assert "You are signed out" in response.content.decode()
    assert response["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not is_inside(staff_client)
    assert log() == [("staff.signed_out", "staff", str(staff.pk), {})]


def test_the_sign_in_page_keeps_where_one_wanted_to_go(client, device):
    text = client.get(f"{LOGIN}?next=/admin/jobs/job/").content.decode()
    assert '<input type="hidden" name="next" value="/admin/jobs/job/">' in text
    assert 'autocomplete="one-time-code"' in text


def test_enrolling_prints_the_address_once_and_replaces_earlier_authenticators(staff, device):
    out = StringIO()
    call_command("enrol_staff", "staff", stdout=out)
    new = Authenticator.objects.get(user=staff)
    assert new.secret != device.secret
    assert out.getvalue().splitlines()[-2] == new.config_url
    assert new.config_url.startswith("otpauth://totp/finops%3Astaff?secret=")
    assert "█" in out.getvalue() or "▀" in out.getvalue()
    with staff_scope():
        actions = AuditEntry.objects.filter(target_id=str(staff.pk), tenant_id=None).order_by("position")
        assert list(actions.values_list("action", flat=True))[-2:] == [
            "user.second_factor_removed",
            "user.second_factor_added",
        ]


@pytest.mark.parametrize(("username", "complaint"), [("nobody", "no user 'nobody'"), ("member", "is not active staff")])
def test_only_active_staff_are_enrolled(database, username, complaint):
    make_user("member")
    with pytest.raises(CommandError, match=complaint):
        call_command("enrol_staff", username)
    assert not Authenticator.objects.exists()


def test_changing_the_own_password_is_recorded(staff_client, staff):
    page = staff_client.get("/admin/password_change/")
    assert page.status_code == 200
    words = {"old_password": PASSWORD, "new_password1": "another long phrase", "new_password2": "another long phrase"}
    assert staff_client.post("/admin/password_change/", {**words, "old_password": "wrong"}).status_code == 200
    assert log() == []
    assert staff_client.post("/admin/password_change/", words).status_code == 302
    assert leaves(None)[-1] == ("user.password_changed", {})
    assert is_inside(staff_client), "the session that changed it goes on"


def test_staff_stay_signed_in_while_djangos_secret_is_replaced(staff_client, settings):
    old, settings.SECRET_KEY = settings.SECRET_KEY, "n" * 60
    settings.SECRET_KEY_FALLBACKS = [old]
    assert is_inside(staff_client)
    settings.SECRET_KEY_FALLBACKS = []  # that request signed the session anew
    assert is_inside(staff_client)


def test_a_session_that_a_lost_secret_signed_is_over(staff_client, settings):
    settings.SECRET_KEY = "n" * 60
    assert not is_inside(staff_client)


def test_guesses_of_the_own_password_count_towards_the_lockout(staff_client, staff):
    words = {"new_password1": "another long phrase", "new_password2": "another long phrase"}
    for _attempt in range(settings.AXES_FAILURE_LIMIT - 1):
        page = staff_client.post("/admin/password_change/", {**words, "old_password": "wrong"})
        assert (page.status_code, "This is not your password." in page.content.decode()) == (200, True)
    for guess in ("wrong", PASSWORD):
        page = staff_client.post("/admin/password_change/", {**words, "old_password": guess})
        assert (page.status_code, page["Retry-After"]) == (429, "900")
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)


def test_a_password_of_a_breach_is_refused_on_the_page_as_well(staff_client, staff, sandbox, settings):
    settings.BREACHED_PASSWORDS = True
    new = "correct horse battery staple"
    words = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert "known from a data breach" in staff_client.post("/admin/password_change/", words).content.decode()
    staff.refresh_from_db()
    assert staff.check_password(PASSWORD)
