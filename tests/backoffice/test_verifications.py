"""The page of verifications: what was proved, what was found and where, and the button that asks for one."""

import html as markup

import pytest
from django.test import Client

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope
from apps.ops.models import VerificationRun
from apps.ops.services import request_verification
from apps.tenants.models import Tenant
from tests.backoffice.staff import enrol, open_session
from tests.backoffice.test_staff_tenants import make_helper

LIST = "/admin/ops/verificationrun/"


def page(client: Client, run: VerificationRun) -> str:
    return markup.unescape(client.get(f"{LIST}{run.pk}/change/").content.decode())


@pytest.fixture
def run(database: str) -> VerificationRun:
    with staff_scope():
        return request_verification(actor=system_actor("tests"), now=clock.now())


def over(run: VerificationRun, state: str, **check: object) -> VerificationRun:
    """Return the run as it is shown once it is over: its first check as given, the others proved."""
    run.checks = [each | {"verdict": "passed", "looked_at": 5, "seconds": 0.5} for each in run.checks]
    run.checks[0] |= check
    run.found = run.checks[0]["found"]
    run.state, run.started_at, run.finished_at = state, clock.now(), clock.now()
    VerificationRun.objects.filter(pk=run.pk).update(
        **{name: getattr(run, name) for name in ("checks", "found", "state", "started_at", "finished_at")}
    )
    return run


def test_the_button_asks_for_a_verification_and_shows_it(staff_client: Client) -> None:
    assert "Nothing is proved yet" in staff_client.get(LIST).content.decode()
    answer = staff_client.post(f"{LIST}verify/")
    run = VerificationRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{LIST}{run.pk}/change/")
    assert "It waits for a worker." in page(staff_client, run)
    assert staff_client.get(f"{LIST}verify/").status_code == 403
    assert staff_client.post(f"{LIST}verify/")["Location"] == f"{LIST}{run.pk}/change/"


def test_a_run_that_found_nothing_says_what_it_looked_at(staff_client: Client, run: VerificationRun) -> None:
    over(run, "proved")
    assert "The installation is proved" in staff_client.get(LIST).content.decode()
    text = page(staff_client, run)
    assert f"{len(run.checks)} / {len(run.checks)}" in text
    assert "Each order's row is the fold of its events" in text


def test_findings_lead_to_their_rows(staff_client: Client, acme: Tenant, run: VerificationRun) -> None:
    finding = {
        "tenant_id": str(acme.id),
        "table": "tenants_tenant",
        "row": str(acme.id),
        "problem": "It is <wrong>.",
        "expected": "right",
        "found": "wrong",
        "remedy": "Right it.",
    }
    over(run, "findings", verdict="findings", found=1, findings=[finding])
    text = staff_client.get(f"{LIST}{run.pk}/change/").content.decode()
    assert f'href="/admin/tenants/tenant/{acme.id}/change/"' in text
    assert "It is &lt;wrong&gt;." in text
    for words in ("Keep the evidence", "Right it.", "acme"):
        assert words in text


def test_a_check_that_could_not_run_says_why(staff_client: Client, run: VerificationRun) -> None:
    over(run, "broken", verdict="broken", error="ValueError: no such table")
    text = page(staff_client, run)
    assert "Not everything could be looked at" in text
    assert "ValueError: no such table" in text


INSTALLATION = {
    "tenant_id": None,
    "table": "jobs_job",
    "row": "jobs_job_tenant",
    "problem": "A policy is missing.",
    "expected": "a policy",
    "found": "none",
    "remedy": "Migrate.",
}


def front(client: Client) -> list[str]:
    """Return the front page and what keeps it current."""
    return [markup.unescape(client.get(url).content.decode()) for url in ("/admin/", "/admin/live/")]


def test_the_front_page_names_what_is_not_proved_until_it_is(
    staff_client: Client, acme: Tenant, run: VerificationRun
) -> None:
    assert not any("Not proved" in text for text in front(staff_client))
    over(run, "findings", verdict="findings", found=3, findings=[INSTALLATION])
    title = run.checks[0]["title"]
    for text in front(staff_client):
        assert "Not proved: 1 check of the last verification failed" in text
        assert f"<b>{title}</b>: 3 findings in the installation itself" in text
        assert f'href="/admin/ops/verificationrun/{run.pk}/change/"' in text
    over(run, "findings", verdict="findings", found=2, findings=[INSTALLATION | {"tenant_id": str(acme.id)}])
    assert "2 findings in 1 tenant, with incidents" in front(staff_client)[0]
    over(run, "broken", verdict="broken", found=0, findings=[], error="ValueError: no such table")
    assert "could not run: ValueError: no such table" in front(staff_client)[0]
    over(run, "proved")
    assert not any("Not proved" in text for text in front(staff_client))


def test_staff_of_some_tenants_are_not_told_of_the_installation(acme: Tenant, run: VerificationRun) -> None:
    over(run, "findings", verdict="findings", found=3, findings=[INSTALLATION])
    helper = make_helper(acme)
    assert not any("Not proved" in text for text in front(open_session(helper, enrol(helper))))
