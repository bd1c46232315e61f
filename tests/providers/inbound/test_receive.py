"""What comes to a hook: what is believed, what is kept, and what a stranger learns."""

import json
from datetime import timedelta

import pytest
from django.test import Client

from apps.accounts import tasks as _accounts  # noqa: F401  (its jobs)
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.ids import new_id
from apps.core.scope import tenant_scope
from apps.jobs.models import Job
from apps.outbox.models import OutboxEvent
from apps.providers.adapters.signatures import sign
from apps.providers.models import InboundHook, RefusedHook
from apps.providers.services import delete_connection
from apps.tenants.services import suspend_tenant
from tests.factories.providers import actor_of, make_connection

SECRET, OTHER = "signing-secret-of-ours", "signing-secret-of-somebody"


@pytest.fixture(autouse=True)
def _secrets(settings):
    settings.TELLER_WEBHOOK_SECRETS = ["the-next-one", SECRET]


@pytest.fixture
def connection(acme):
    return make_connection(acme, enrollment_id="enr_acme")


def body_of(event_id="wh_1", kind="transactions.processed", enrollment="enr_acme") -> bytes:
    payload = {"enrollment_id": enrollment, "transactions": []} if enrollment else {}
    return json.dumps({"id": event_id, "type": kind, "timestamp": "2026-03-02T12:00:00Z", "payload": payload}).encode()


def send(connection, body: bytes, *, secret=SECRET, age=0, header="", url="", **more):
    at = int(clock.now().timestamp()) - age
    signature = header or f"t={at},v1={sign(body, secret=secret, at=at)}"
    options = {"content_type": "application/json", "HTTP_TELLER_SIGNATURE": signature, **more}
    return Client().generic("POST", url or f"/hooks/teller/{connection.id}", body, **options)


def stored(tenant) -> tuple[int, ...]:
    with tenant_scope(tenant.id):
        jobs = Job.objects.filter(kind="connection.hook").count()
        return InboundHook.objects.count(), jobs, AuditEntry.objects.count(), OutboxEvent.objects.count()


def refusals(tenant) -> dict[str, int]:
    with tenant_scope(tenant.id):
        return dict(RefusedHook.objects.values_list("reason", "occurrences"))


def test_a_signed_webhook_is_kept_byte_for_byte_with_its_leaf_and_job(acme, connection):
    body = body_of() + b" \n"
    answer = send(connection, body, HTTP_AUTHORIZATION="Bearer x", HTTP_COOKIE="a=b", HTTP_USER_AGENT="Teller/1")
    assert (answer.status_code, answer.content) == (200, b"")
    with tenant_scope(acme.id):
        hook = InboundHook.objects.get()
        job = Job.objects.get(kind="connection.hook")
        leaf = AuditEntry.objects.get(action="connection.hook_received")
    assert (bytes(hook.body), hook.event_id, hook.event_type) == (body, "wh_1", "transactions.processed")
    assert set(hook.headers) == {"Content-Type", "User-Agent", "Teller-Signature"}
    assert (hook.state, job.payload) == ("received", {"hook_id": str(hook.id)})
    assert leaf.changes["event"] == [None, "wh_1"]
    assert refusals(acme) == {}


def test_one_that_comes_again_is_answered_alike_and_changes_nothing(acme, connection):
    send(connection, body_of())
    before = stored(acme)
    again = send(connection, body_of())
    assert (again.status_code, stored(acme)) == (200, before)


def test_each_connection_has_its_own(acme, globex, connection):
    theirs = make_connection(globex, enrollment_id="enr_acme")
    assert [send(one, body_of()).status_code for one in (connection, theirs)] == [200, 200]
    assert stored(acme)[:2] == stored(globex)[:2] == (1, 1)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_the_signature_decides_and_not_the_content_type(acme, connection, kind):
    assert send(connection, body_of(), content_type=kind).status_code == 200
    assert stored(acme)[0] == 1


@pytest.mark.parametrize("secret", ["the-next-one", SECRET])
def test_while_secrets_are_replaced_either_signs(acme, connection, secret):
    assert send(connection, body_of(), secret=secret).status_code == 200


def test_what_is_proved_and_makes_no_sense_is_kept_for_people(acme, connection):
    assert send(connection, b"[]").status_code == 200
    with tenant_scope(acme.id):
        assert InboundHook.objects.get().event_id.startswith("sha256:4f53cda18c2baa0c")


ALTERED = body_of().replace(b"enr_acme", b"enr_acmf")
REFUSALS = [
    ("bad_signature", {"secret": OTHER}),
    ("stale_signature", {"age": 181}),
    ("stale_signature", {"age": -182}),
    ("malformed_signature", {"header": "v1=00"}),
    ("malformed_signature", {"header": "t=1"}),
    ("bad_signature", {"altered": ALTERED}),
    ("bad_signature", {"altered": body_of() + b" "}),
    ("wrong_connection", {"body": body_of(enrollment="enr_globex")}),
]


@pytest.mark.parametrize(("reason", "how"), REFUSALS)
def test_what_proves_nothing_is_counted_and_not_kept(acme, connection, reason, how):
    before, how = stored(acme), dict(how)
    body, altered = how.pop("body", body_of()), how.pop("altered", None)
    if altered:
        at = int(clock.now().timestamp())
        how["header"] = f"t={at},v1={sign(body, secret=SECRET, at=at)}"
    answers = [send(connection, altered or body, **how) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert (stored(acme), refusals(acme)) == (before, {reason: 3})


def test_without_a_secret_nothing_is_believed(acme, connection, settings):
    settings.TELLER_WEBHOOK_SECRETS = []
    assert send(connection, body_of(), secret="").status_code == 404
    assert refusals(acme) == {"no_signing_secret": 1}


def test_a_webhook_that_somebody_kept_is_worth_nothing_later(acme, connection):
    body, at = body_of(), int((clock.now() - timedelta(minutes=4)).timestamp())
    assert send(connection, body, header=f"t={at},v1={sign(body, secret=SECRET, at=at)}").status_code == 404
    assert refusals(acme) == {"stale_signature": 1}


def test_a_stranger_cannot_tell_what_there_is(acme, connection):
    gone = make_connection(acme, "test_tkn_gone", enrollment_id="enr_gone")
    delete_connection(connection_id=gone.id, actor=actor_of(acme), now=clock.now())
    before = stored(acme)
    urls = [f"/hooks/{name}/{id_}" for name in ("teller", "alpaca", "nobody") for id_ in (connection.id, new_id())]
    urls.append(f"/hooks/teller/{gone.id}")
    answers = [send(connection, body_of(), url=url, secret=OTHER) for url in urls]
    told = [{**answer.json(), "instance": "", "request_id": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert all(one == told[0] for one in told)
    assert (stored(acme), refusals(acme)) == (before, {"bad_signature": 1})


@pytest.mark.parametrize("path", ["nobody/abc", "teller/abc", "", "teller/" + "a" * 9000])
def test_where_no_hook_can_be_a_program_is_told_so(path):
    answer = Client().post(f"/hooks/{path}", b"{}", content_type="application/json")
    status = 414 if len(path) > 9000 else 404
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")


def test_a_suspended_tenant_hears_nothing(acme, connection):
    suspend_tenant(tenant_id=acme.id, actor=actor_of(acme), now=clock.now())
    assert send(connection, body_of()).status_code == 404


def test_a_huge_body_is_refused_before_anything_is_read(acme, connection):
    before = stored(acme)
    assert send(connection, b" " * 1_048_577).status_code == 413
    assert (stored(acme), refusals(acme)) == (before, {})


def test_of_what_is_refused_a_piece_stays(acme, connection):
    send(connection, b"x" * 5_000, secret=OTHER, REMOTE_ADDR="192.0.2.9")
    with tenant_scope(acme.id):
        kept = RefusedHook.objects.get()
    assert (len(kept.excerpt), kept.sent_from) == (2_000, "192.0.2.9")


def test_nothing_but_a_post_is_answered(connection):
    assert Client().get(f"/hooks/teller/{connection.id}").status_code == 405


def test_while_writing_is_switched_off_the_provider_is_asked_to_come_again(acme, connection, switch_read_only):
    before = stored(acme)
    switch_read_only(acme)
    assert send(connection, body_of()).status_code == 503
    assert send(connection, body_of(), secret=OTHER).status_code == 404
    assert (stored(acme), refusals(acme)) == (before, {})


def test_an_address_that_sends_too_much_is_told_so(acme, connection, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "address": (1, 2)}
    codes = [send(connection, body_of(), secret=OTHER, REMOTE_ADDR="192.0.2.77").status_code for _ in range(3)]
    assert codes == [404, 404, 429]
    assert refusals(acme) == {"bad_signature": 2}
