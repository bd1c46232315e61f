"""What staff can do: each action calls its service per object, says exactly what happened, and leaves its leaf."""

import pytest
from django.contrib.messages import get_messages
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.scope import staff_scope, tenant_scope
from apps.incidents.models import Incident
from apps.jobs.models import Job
from apps.outbox.models import OutboxEvent
from apps.providers.models import Connection, SyncRun
from apps.tenants.models import ApiKey, Invitation, Membership, Tenant
from apps.tenants.selectors import find_invitation
from apps.users.models import Session
from tests.backoffice.world import World, make_dead_job
from tests.factories.audit import opened
from tests.factories.incidents import make_incident
from tests.factories.tenants import make_invitation, make_member


def leaves(tenant, action: str) -> list[AuditEntry]:
    with tenant_scope(tenant.pk):
        return opened(AuditEntry.objects.filter(action=action).order_by("position"))


def press(client, label: str, obj, name: str, **data):
    """Press a button of a record's page; return the messages."""
    return told(client, client.post(f"/admin/{label.replace('.', '/')}/{obj.pk}/do/{name}/", data))


def choose(client, label: str, objects, name: str, **data):
    """Run an action of a list's menu on some rows; return the messages."""
    selection = {"action": name, "index": "0", "_selected_action": [str(obj.pk) for obj in objects], **data}
    return told(client, client.post(f"/admin/{label.replace('.', '/')}/", selection))


def told(client, response) -> list[str]:
    assert response.status_code == 302, response.content.decode()[:500]
    messages = [str(message) for message in get_messages(response.wsgi_request)]
    client.cookies.pop("messages", None)  # as the next page would have shown them
    return messages


def read(model, obj):
    with staff_scope():
        return model.objects.get(pk=obj.pk)


def test_sync_now_queues_a_run_as_the_staff_user(staff_client, staff, world: World):
    connection = world.acme.connection
    # The world's failed run left its job behind; it is out of the way once it is dead.
    with tenant_scope(connection.tenant_id):
        Job.objects.filter(unique_key=str(connection.pk)).update(state="dead", finished_at=clock.now())
    assert press(staff_client, "providers.connection", connection, "sync_now") == ["1 sync queued."]
    with tenant_scope(connection.tenant_id):
        run = SyncRun.objects.get(status="queued", connection=connection)
        job = Job.objects.get(pk=run.job_id)
    assert (run.trigger, job.state, job.kind) == ("staff", "queued", "connection.sync")
    assert job.actor["label"] == "staff"
    leaf = leaves(world.acme.tenant, "connection.sync_requested")[-1]
    assert (leaf.actor["kind"], leaf.actor["user_id"], leaf.request_id) == ("staff", str(staff.pk), "request-of-staff")


def test_sync_now_on_many_tells_queued_from_running(staff_client, world: World):
    both = [world.acme.connection, world.globex.connection]
    with tenant_scope(both[0].tenant_id):
        Job.objects.filter(unique_key=str(both[0].pk)).update(state="dead", finished_at=clock.now())
    said = choose(staff_client, "providers.connection", both, "sync_now")
    assert sorted(said[0].rstrip(".").split(", ")) == ["1 already under way", "1 sync queued"]


def test_disabling_asks_first_and_then_destroys(staff_client, world: World):
    connection = world.acme.connection
    url = f"/admin/providers/connection/{connection.pk}/do/disable/"
    question = staff_client.post(url).content.decode()
    assert "The credentials are destroyed" in question
    assert read(Connection, connection).status == "active"
    assert press(staff_client, "providers.connection", connection, "disable", confirmed="1") == [
        "1 connection disabled, its credentials destroyed."
    ]
    assert read(Connection, connection).status == "disabled"
    assert read(Connection, world.globex.connection).status == "active"
    assert press(staff_client, "providers.connection", connection, "sync_now") == ["The connection is disabled"]


def test_a_connection_with_open_orders_is_not_disabled(staff_client, world: World):
    connection = world.acme.trade.desk.connection
    assert press(staff_client, "providers.connection", connection, "disable", confirmed="1") == [
        "2 orders are open on this connection. Cancel them first and wait until they have ended."
    ]
    assert read(Connection, connection).status == "active"
    assert leaves(world.acme.tenant, "connection.deleted") == []


def test_a_dead_letter_is_replayed_with_a_leaf(staff_client, world: World):
    job = world.globex.dead_job
    assert press(staff_client, "jobs.job", job, "replay") == ["1 job queued again."]
    after = read(Job, job)
    assert (after.state, after.attempts, after.finished_at) == ("queued", 0, None)
    (leaf,) = leaves(world.globex.tenant, "job.replayed")
    assert (leaf.target_id, leaf.actor["label"]) == (str(job.pk), "staff")
    assert leaf.changes == {"state": ["dead", "queued"], "kind": ["statement.import", "statement.import"]}
    assert leaves(world.acme.tenant, "job.replayed") == []


@pytest.mark.parametrize(("action", "reason"), [("replay", ""), ("discard", "tenant left")])
def test_a_dead_letter_takes_its_incident_along(staff_client, world: World, action, reason):
    job = world.acme.dead_job
    incident = make_incident(
        now=clock.now(), tenant_id=job.tenant_id, kind="job.dead", key=str(job.pk), target_type="job", target_id=job.pk
    )
    press(staff_client, "jobs.job", job, action, confirmed="1", reason=reason)
    assert read(Incident, incident).state == "resolved"
    assert read(Incident, incident).resolved_by["label"] == "staff"
    assert read(Incident, world.acme.incident).state == "open"
    (leaf,) = leaves(world.acme.tenant, "incident.resolved")
    kept = {"reason": [None, reason]} if reason else {}
    assert leaf.changes == {"state": ["open", "resolved"], **kept}


def test_a_discarded_job_comes_back_from_where_it_was(staff_client, world: World):
    job = world.acme.dead_job
    press(staff_client, "jobs.job", job, "discard", confirmed="1", reason="by mistake")
    press(staff_client, "jobs.job", job, "replay")
    (leaf,) = leaves(world.acme.tenant, "job.replayed")
    assert leaf.changes["state"] == ["discarded", "queued"]


def test_many_replays_report_each_outcome(staff_client, world: World):
    key = "the same work"
    first, second = (make_dead_job(world.acme.tenant, now=clock.now(), key=key) for _ in range(2))
    said = choose(staff_client, "jobs.job", [first, second, world.acme.dead_job], "replay")
    assert said == ["2 jobs queued again.", "The same work is already queued"]
    assert sorted([read(Job, first).state, read(Job, second).state]) == ["dead", "queued"]
    assert len(leaves(world.acme.tenant, "job.replayed")) == 2


def test_discarding_needs_a_reason_which_is_kept(staff_client, world: World):
    job = world.acme.dead_job
    url = f"/admin/jobs/job/{job.pk}/do/discard/"
    assert "The audit log keeps it." in staff_client.post(url).content.decode()
    assert "Say why" in staff_client.post(url, {"confirmed": "1", "reason": "  "}).content.decode()
    assert read(Job, job).state == "dead"
    assert leaves(world.acme.tenant, "job.discarded") == []
    assert press(staff_client, "jobs.job", job, "discard", confirmed="1", reason="tenant left") == ["1 job discarded."]
    assert read(Job, job).state == "discarded"
    (leaf,) = leaves(world.acme.tenant, "job.discarded")
    assert leaf.changes == {"state": ["dead", "discarded"], "reason": [None, "tenant left"]}


def test_a_list_asks_for_the_reason_on_a_page_of_its_own(staff_client, world: World):
    jobs = [world.acme.dead_job, world.globex.dead_job]
    selection = {"action": "discard", "index": "0", "_selected_action": [str(job.pk) for job in jobs]}
    page = staff_client.post("/admin/jobs/job/", selection).content.decode()
    assert "2 objects" in page
    assert page.count('name="_selected_action"') == 2
    said = choose(staff_client, "jobs.job", jobs, "discard", confirmed="1", reason="clean-up")
    assert said == ["2 jobs discarded."]


def test_an_incident_is_acknowledged_then_resolved(staff_client, world: World):
    incident = world.acme.incident
    assert press(staff_client, "incidents.incident", incident, "acknowledge") == ["1 incident acknowledged."]
    assert read(Incident, incident).acknowledged_by["label"] == "staff"
    choose(staff_client, "incidents.incident", [incident], "acknowledge")
    assert len(leaves(world.acme.tenant, "incident.acknowledged")) == 1
    said = press(staff_client, "incidents.incident", incident, "resolve", confirmed="1", reason="bank is back")
    assert said == ["1 incident resolved."]
    assert read(Incident, incident).state == "resolved"
    (leaf,) = leaves(world.acme.tenant, "incident.resolved")
    assert leaf.changes == {"state": ["acknowledged", "resolved"], "reason": [None, "bank is back"]}
    again = press(staff_client, "incidents.incident", incident, "resolve", confirmed="1", reason="again")
    assert again == ["The incident is already resolved"]
    assert len(leaves(world.acme.tenant, "incident.resolved")) == 1


def test_a_key_is_revoked_once(staff_client, world: World):
    key = world.acme.api_key
    assert press(staff_client, "tenants.apikey", key, "revoke", confirmed="1") == ["1 key revoked."]
    assert read(ApiKey, key).revoked_at is not None
    assert press(staff_client, "tenants.apikey", key, "revoke", confirmed="1") == ["1 was revoked before."]
    assert len(leaves(world.acme.tenant, "api_key.revoked")) == 1
    assert read(ApiKey, world.globex.api_key).revoked_at is None


def test_a_member_gets_another_role_and_is_removed_but_not_the_last_owner(staff_client, world: World):
    make_member(world.acme.tenant, "deputy", "viewer")
    with staff_scope():
        deputy = Membership.objects.get(name="Deputy")
        owner = Membership.objects.get(user_id=world.acme.member.pk)
    change = {"confirmed": "1", "reason": "owner"}
    assert press(staff_client, "tenants.membership", deputy, "change_role", **change) == ["1 member has the role."]
    assert read(Membership, deputy).role == "owner"
    why = {"confirmed": "1", "reason": "left the company"}
    assert press(staff_client, "tenants.membership", owner, "remove", **why) == ["1 member removed."]
    (leaf,) = leaves(world.acme.tenant, "member.removed")
    assert leaf.changes["reason"] == [None, "left the company"]
    assert read(Session, world.acme.session).revoked_at is not None
    assert press(staff_client, "tenants.membership", deputy, "remove", **why) == ["The last owner"]
    assert read(Membership, deputy).role == "owner"


def test_an_invitation_is_sent_again_and_revoked(staff_client, world: World):
    invitation, token = make_invitation(world.acme.tenant, "neo@example.com")
    label = "tenants.invitation"
    assert press(staff_client, label, invitation, "resend", confirmed="1") == ["1 letter is on its way."]
    assert find_invitation(token, now=clock.now()) is None
    why = {"confirmed": "1", "reason": "a typing error"}
    assert press(staff_client, label, invitation, "revoke", **why) == ["1 invitation revoked."]
    assert read(Invitation, invitation).status_at(clock.now()) == "revoked"
    (leaf,) = leaves(world.acme.tenant, "invitation.revoked")
    assert leaf.changes["reason"] == [None, "a typing error"]
    assert press(staff_client, label, invitation, "resend", confirmed="1") == ["The invitation is closed"]


def test_a_session_is_revoked_with_its_reason(staff_client, world: World):
    session = world.acme.session
    said = press(staff_client, "users.session", session, "revoke", confirmed="1", reason="lost laptop")
    assert said == ["1 session revoked."]
    assert read(Session, session).revoked_at is not None
    (leaf,) = leaves(world.acme.tenant, "session.revoked")
    assert leaf.changes == {"user_id": [None, str(session.user_id)], "reason": [None, "lost laptop"]}
    assert read(Session, world.globex.session).revoked_at is None


def test_a_tenant_is_suspended_and_reactivated(staff_client, world: World):
    tenant = world.globex.tenant
    assert press(staff_client, "tenants.tenant", tenant, "suspend", confirmed="1") == ["1 tenant suspended."]
    assert read(Tenant, tenant).status == "suspended"
    assert press(staff_client, "tenants.tenant", tenant, "reactivate") == ["1 tenant reactivated."]
    assert read(Tenant, tenant).status == "active"
    with tenant_scope(tenant.pk):
        types = OutboxEvent.objects.filter(entity_id=tenant.pk, type__startswith="tenant.").order_by("position")
        assert list(types.values_list("type", flat=True))[-2:] == ["tenant.suspended", "tenant.reactivated"]


def test_a_task_is_paused_and_resumed_in_the_installations_log(staff_client, database):
    every = IntervalSchedule.objects.create(every=2, period="seconds")
    task = PeriodicTask.objects.create(name="jobs.sweep", task="jobs.sweep", interval=every)
    label = "django_celery_beat.periodictask"
    assert press(staff_client, label, task, "pause", confirmed="1") == ["1 task paused."]
    assert not PeriodicTask.objects.get(pk=task.pk).enabled
    assert press(staff_client, label, task, "resume") == ["1 task resumed."]
    with staff_scope():
        entries = AuditEntry.objects.filter(tenant_id=None, action__startswith="schedule.").order_by("position")
        assert [entry.action for entry in entries] == ["schedule.paused", "schedule.resumed"]


ACTIONS = [
    ("providers.connection", "connection", "sync_now"),
    ("providers.connection", "connection", "disable"),
    ("jobs.job", "dead_job", "replay"),
    ("jobs.job", "dead_job", "discard"),
    ("incidents.incident", "incident", "acknowledge"),
    ("incidents.incident", "incident", "resolve"),
    ("tenants.apikey", "api_key", "revoke"),
    ("users.session", "session", "revoke"),
    ("tenants.tenant", "tenant", "suspend"),
]


def test_staff_who_may_only_view_see_everything_and_do_nothing(viewing_client, world: World):
    with staff_scope():
        before = AuditEntry.objects.count()
    for label, name, action in ACTIONS:
        obj = getattr(world.acme, name)
        page = f"/admin/{label.replace('.', '/')}/{obj.pk}/"
        shown = viewing_client.get(f"{page}change/")
        assert shown.status_code == 200, label
        assert f"/do/{action}/" not in shown.content.decode(), label
        refused = viewing_client.post(f"{page}do/{action}/", {"confirmed": "1", "reason": "because"})
        assert refused.status_code == 403, label
        choice = {"action": action, "index": "0", "_selected_action": str(obj.pk), "confirmed": "1", "reason": "no"}
        viewing_client.post(f"/admin/{label.replace('.', '/')}/", choice)
    with staff_scope():
        assert AuditEntry.objects.count() == before
        assert Connection.objects.filter(status="active").count() == 4
        assert Job.objects.filter(state="dead").count() == 2


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_an_action_takes_post_alone(staff_client, world: World, method):
    url = f"/admin/jobs/job/{world.acme.dead_job.pk}/do/replay/"
    assert getattr(staff_client, method)(url).status_code == 403
    assert read(Job, world.acme.dead_job).state == "dead"


def test_an_unknown_action_or_record_is_refused(staff_client, world: World):
    assert staff_client.post(f"/admin/jobs/job/{world.acme.dead_job.pk}/do/explode/").status_code == 403
    assert staff_client.post("/admin/jobs/job/01900000-0000-7000-8000-000000000000/do/replay/").status_code == 404
