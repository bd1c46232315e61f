"""Staff who were granted acme alone: whatever the admin has, it has no trace of globex, and nothing there can be done.

Pages and actions are read from the admin site, so that what is added to it is in here by itself.
"""

import html as markup
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import URLPattern
from guardian.shortcuts import assign_perm

from apps.audit.models import AuditEntry
from apps.backoffice.reach import OPERATE, reach_of
from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin.contributions import contributed_actions
from apps.core.errors import NotFound, PermissionMissing
from apps.core.scope import staff_scope, write_scope
from apps.jobs.models import Job
from apps.orders.models import KillSwitch
from apps.outbox.models import OutboxEvent
from apps.tenants.models import Tenant
from apps.tenants.services import engage_read_only
from apps.users.models import Session, User
from tests.backoffice.staff import LOGIN, code_of, enrol, open_session, post_login
from tests.backoffice.test_actions import choose, read
from tests.backoffice.test_pages import get, list_url
from tests.backoffice.world import World
from tests.factories.jobs import make_job
from tests.factories.users import PASSWORD, make_user
from tests.matrix.owner import Owner

ASKED = {"confirmed": "1", "reason": "because"}
DJANGOS_OWN = {"", "change/", "delete/", "history/"}  # nothing is edited through these, whoever asks
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label_lower)
# Pages of what is the whole installation's.
NOT_FOR_THEM = {"axes.accessattempt", "django_celery_beat.periodictask", "jobs.queue", "ops.verificationrun"}


def make_helper(*tenants: Tenant, name: str = "helper") -> User:
    """Return staff who may do everything, with these tenants alone."""
    user = make_user(name, is_staff=True, password=PASSWORD)
    with staff_scope():
        user.user_permissions.set(Permission.objects.exclude(codename__in=["operate_tenant", "grant_tenant"]))
        for tenant in tenants:
            assign_perm(OPERATE, user, tenant)
    return user


@pytest.fixture
def helper(acme: Tenant) -> User:
    return make_helper(acme)


@pytest.fixture
def limited(helper: User) -> Client:
    """The helper, signed in."""
    return open_session(helper, enrol(helper))


def test_a_job_that_waits_shows_its_page_and_nothing_of_its_queue(limited: Client, world: World):
    job = make_job(now=clock.now() - timedelta(minutes=20), tenant_id=world.acme.tenant.pk)
    page = limited.get(f"/admin/jobs/job/{job.pk}/change/")
    assert (page.status_code, "nobody has taken it" in page.content.decode()) == (200, False)


@pytest.fixture
def telling(database: str, world: World) -> set[str]:
    """Every string in globex's rows, and its people's, that acme's rows have not as well."""
    owner = Owner(database)
    texts = owner.texts_of(world.globex.tenant.pk) - owner.texts_of(world.acme.tenant.pk)
    owner.connection.close()
    found = {text for text in texts if len(text) > 5}
    assert {"globex", "globex bank", "globex-owner", str(world.globex.trade.fill.pk)} <= found
    return found


def traces(text: str, telling: set[str], *, but: str = "") -> set[str]:
    """Return what a page tells of globex, apart from what it was asked with."""
    shown = markup.unescape(text).replace(but, "") if but else markup.unescape(text)
    return {secret for secret in telling if secret in shown}


def rows_of(model: Any, tenant: Tenant) -> list[Any]:
    """Return the keys of some of a tenant's rows; of users, and of what is theirs, those that no other tenant has."""
    with staff_scope():
        if model is Tenant:
            return [tenant.pk]
        if "tenant_id" in {field.attname for field in model._meta.concrete_fields}:
            return list(model.objects.filter(tenant_id=tenant.pk).order_by("-pk").values_list("pk", flat=True)[:1])
        people = User.objects.filter(username__startswith=tenant.slug).values("pk")
        if model is User:
            return list(people.values_list("pk", flat=True))
        is_theirs = "user_id" in {field.attname for field in model._meta.concrete_fields}
        return list(model.objects.filter(user_id__in=people).values_list("pk", flat=True)) if is_theirs else []


def label_of(model: Any) -> str:
    return str(model._meta.label_lower)


def addresses(model: Any, key: Any) -> list[str]:
    """Return the addresses of all pages and buttons of a record, as the site has them."""
    model_admin: Any = admin.site._registry[model]
    patterns = [str(found.pattern) for found in model_admin.get_urls() if "<path:object_id>" in str(found.pattern)]
    assert {"<path:object_id>/change/", "<path:object_id>/do/<slug:name>/"} <= set(patterns)
    names = [action.name for action in model_admin.service_actions] + [
        action.name for action in contributed_actions(model)
    ]
    paths = {
        pattern.replace("<path:object_id>", str(key)).replace("<slug:name>", name)
        for pattern in patterns
        if pattern.removeprefix("<path:object_id>/") not in DJANGOS_OWN
        for name in (names or ["anything"])
    }
    return [f"{list_url(label_of(model))}{path}" for path in sorted(paths)]


def done() -> tuple[int, int, int]:
    """Return how much was ever done."""
    with staff_scope():
        return AuditEntry.objects.count(), OutboxEvent.objects.count(), Job.objects.count()


# What is there to see.


def test_no_list_has_a_trace_of_globex(limited, world: World, telling):
    for model in MODELS:
        url = list_url(label_of(model))
        if label_of(model) in NOT_FOR_THEM:
            assert limited.get(url).status_code == 403, url
            continue
        assert traces(get(limited, url), telling) == set(), url


def test_no_page_of_the_site_has_a_trace_of_globex(limited, world: World, telling):
    for pattern in admin.site.get_urls():
        route = str(pattern.pattern)
        if isinstance(pattern, URLPattern) and "<" not in route and "(" not in route and route != "logout/":
            text = limited.get(f"/admin/{route}", follow=True).content.decode()
            assert traces(text, telling) == set(), route
    for url in ("/admin/kill-switch/?live", "/admin/kill-switch/?q=glob", "/admin/search/?s=globex", "/admin/tenants/"):
        assert traces(limited.get(url).content.decode(), telling, but="globex") == set(), url


def test_pages_of_acme_show_it_and_nothing_of_globex(limited, world: World, telling):
    seen = 0
    for model in MODELS:
        for key in rows_of(model, world.acme.tenant):
            text = get(limited, f"{list_url(label_of(model))}{key}/change/")
            assert traces(text, telling) == set(), (model, key)
            seen += 1
    assert seen > 20


def test_a_record_of_globex_is_answered_like_none_at_all_and_its_buttons_do_nothing(limited, world: World):
    before, asked = done(), 0
    for model in MODELS:
        for key in rows_of(model, world.globex.tenant):
            answer = limited.get(f"{list_url(label_of(model))}{key}/change/")
            told = [str(message) for message in get_messages(answer.wsgi_request)]
            name = model._meta.verbose_name
            assert told[-1:] == [f"There is no {name} with the id {key}; it may have been removed."], model
            for url in addresses(model, key):
                assert limited.post(url, ASKED).status_code in (302, 403, 404), url
                asked += 1
    assert asked > 30
    assert done() == before


def test_what_is_chosen_in_a_list_is_done_to_acme_alone_and_only_that_is_counted(limited, world: World):
    rows = [world.acme.dead_job, world.globex.dead_job]
    assert choose(limited, "jobs.job", rows, "replay") == ["1 job queued again."]
    assert [read(Job, row).state for row in rows] == ["queued", "dead"]


def test_no_action_of_a_list_does_anything_to_globex(limited, world: World):
    before = done()
    for model in MODELS:
        keys = [str(key) for key in rows_of(model, world.globex.tenant)]
        model_admin: Any = admin.site._registry[model]
        for action in [*model_admin.service_actions, *contributed_actions(model)] if keys else ():
            answer = limited.post(
                list_url(label_of(model)), {"action": action.name, "index": "0", "_selected_action": keys, **ASKED}
            )
            assert answer.status_code in (200, 302), (model, action.name)
            messages = [str(message) for message in get_messages(answer.wsgi_request)]
            assert not any("1" in message for message in messages), (model, action.name, messages)
    assert done() == before


# What is the installation's.


def test_the_installations_switches_are_seen_and_not_moved(limited, world: World):
    before = done()
    assert "The whole installation" in get(limited, "/admin/kill-switch/")
    assert limited.post("/admin/kill-switch/installation/", {"engage": "1", **ASKED}).status_code == 403
    assert limited.post("/admin/core/readonlyswitch/engage/", ASKED).status_code == 403
    assert "for everybody" not in get(limited, "/admin/core/readonlyswitch/")
    assert limited.post(f"/admin/kill-switch/tenant/{world.globex.tenant.pk}/", {"engage": "1"}).status_code == 404
    account = world.globex.trade.desk.account.pk
    assert limited.post(f"/admin/kill-switch/account/{account}/", {"engage": "1"}).status_code == 404
    assert done() == before
    stopped = limited.post(f"/admin/kill-switch/tenant/{world.acme.tenant.pk}/", {"engage": "1", **ASKED})
    assert stopped.status_code == 302
    with staff_scope():
        assert list(KillSwitch.objects.filter(engaged=True).values_list("tenant_id", flat=True)) == [
            world.acme.tenant.pk
        ]


def test_no_service_widens_a_limited_scope(helper, world: World):
    reach = reach_of(helper)
    actor = Actor(kind="staff", label="helper", user_id=helper.pk)
    with staff_scope(reach):
        with staff_scope():
            assert set(Tenant.objects.values_list("slug", flat=True)) == {"acme"}
        with pytest.raises(NotFound), write_scope(actor.for_tenant(world.globex.tenant.pk)):
            pass
        with pytest.raises(PermissionMissing):
            engage_read_only(tenant_id=None, reason="all", actor=actor, now=clock.now())
        with write_scope(actor.for_tenant(world.acme.tenant.pk)), staff_scope():
            assert set(Tenant.objects.values_list("slug", flat=True)) == {"acme"}


def test_users_are_those_of_their_tenants_and_themselves_and_only_their_own_row_changes(helper, world: World):
    with staff_scope(reach_of(helper)):
        assert set(User.objects.values_list("username", flat=True)) == {"helper", "acme-owner"}
        assert set(Session.objects.values_list("tenant_id", flat=True)) == {world.acme.tenant.pk}
        assert User.objects.filter(username="acme-owner").update(display_name="x") == 0
        assert User.objects.filter(username="helper").update(display_name="Hal") == 1


# Who is limited, and how one comes and goes.


def test_who_is_limited_to_what(world: World):
    acme, globex = world.acme.tenant, world.globex.tenant
    nobody, one, by_group = make_helper(name="nobody"), make_helper(acme, name="one"), make_helper(name="grouped")
    everywhere = make_helper(acme, name="everywhere")
    chief = make_user("chief", is_staff=True, is_superuser=True)
    with staff_scope():
        team = Group.objects.create(name="Support of globex")
        assign_perm(OPERATE, team, globex)
        by_group.groups.add(team)
        assign_perm(OPERATE, everywhere)
    reaches = {user.username: reach_of(user) for user in (nobody, one, by_group, everywhere, chief)}
    assert {name: reach and reach.tenants for name, reach in reaches.items()} == {
        "nobody": frozenset(),
        "one": {acme.pk},
        "grouped": {globex.pk},
        "everywhere": None,
        "chief": None,
    }


def test_staff_without_a_tenant_see_no_row(world: World):
    nobody = make_helper(name="nobody")
    client = open_session(nobody, enrol(nobody))
    assert "acme" not in get(client, "/admin/")
    assert "No tenants yet" in get(client, list_url("tenants.tenant"))


def test_they_sign_in_change_their_password_and_leave_as_everybody(helper):
    device, client = enrol(helper), Client()
    assert post_login(client, username="helper", code=code_of(device))["Location"] == "/admin/"
    fresh = "a new and rather long one"
    data = {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert client.post("/admin/password_change/", data)["Location"] == "/admin/password_change/done/"
    assert get(client, "/admin/password_change/done/")
    assert client.post("/admin/logout/").status_code == 200
    assert client.get("/admin/")["Location"].startswith(LOGIN)
