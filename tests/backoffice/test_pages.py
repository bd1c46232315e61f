"""Every list and every record's page: few queries, read-only, across tenants, without secrets."""

import html as markup

import pytest
from axes.models import AccessAttempt
from django.apps import apps
from django.contrib import admin
from django.db import connection as database_connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.accounts.models import Transaction
from apps.audit.models import AuditEntry
from apps.core import clock
from apps.core.actor import system_actor
from apps.core.ids import new_id
from apps.core.models import ReadOnlySwitch
from apps.core.scope import staff_scope, tenant_scope
from apps.jobs.selectors import DeadLetters
from apps.jobs.services import ensure_queues
from apps.ops.enums import ClearingAction
from apps.ops.services import request_clearing, request_verification
from apps.providers.models import Connection
from apps.users.models import Authenticator
from tests.backoffice.desk import ENDPOINT_SECRET
from tests.backoffice.world import SECRET, TOKEN_IN_TRACEBACK, World
from tests.factories.accounts import make_account, make_grant, make_transaction, make_transactions
from tests.factories.audit import make_entries
from tests.factories.impersonations import make_impersonation
from tests.factories.tenants import make_invitation, make_role

# Queries of the list and of a record's page: three say who asks (session, user, authenticator), one counts the
# sidebar's badges, one asks whether trading is stopped, two name tenants (the filter's and the rows'); the rest is the
# page's own.
BASELINES = {
    "accounts.account": (10, 9),
    "accounts.objectgrant": (10, 8),
    "accounts.transaction": (9, 8),
    "audit.auditcheckpoint": (9, 11),
    "audit.auditentry": (10, 8),
    "audit.auditsubjectkey": (14, 15),
    "axes.accessattempt": (8, 8),
    "core.readonlyswitch": (8, 8),
    "django_celery_beat.periodictask": (7, 8),
    "incidents.incident": (10, 8),
    "jobs.job": (12, 8),
    "jobs.queue": (8, 11),
    "market.instrument": (8, 9),
    "market.listing": (8, 7),
    "market.listingimport": (7, 7),
    "market.quote": (8, 7),
    "market.venueclock": (7, 7),
    "ops.clearing": (7, 7),
    "ops.verificationrun": (8, 7),
    "orders.fill": (9, 8),
    "orders.order": (9, 17),
    "orders.position": (10, 10),
    "orders.riskaccount": (13, 16),
    "orders.riskdecision": (10, 8),
    "outbox.outboxevent": (9, 9),
    "providers.connection": (10, 11),
    "providers.inboundhook": (11, 8),
    "providers.quarantinedrow": (10, 8),
    "providers.refusedhook": (10, 8),
    "providers.syncrun": (9, 8),
    "tenants.apikey": (9, 8),
    "tenants.impersonation": (9, 9),
    "tenants.invitation": (9, 8),
    "tenants.membership": (9, 9),
    "tenants.tenant": (7, 19),
    "users.authenticator": (7, 7),
    "tenants.tenantrole": (9, 9),
    "users.staffsession": (7, 7),
    "users.session": (9, 8),
    "users.user": (7, 9),
    "webhooks.delivery": (10, 9),
    "webhooks.endpoint": (11, 14),
}
SCOPES = (
    "SAVEPOINT",
    "RELEASE",
    "SET CONSTRAINTS",
    "SELECT set_config",
    # Asked for every page, before its scope: whether its staff user looks as a member.
    "SELECT * FROM tenants_impersonation_principal",
)


def list_url(label: str) -> str:
    return f"/admin/{label.replace('.', '/')}/"


def page_url(label: str) -> str:
    """Return the page of the newest record."""
    with staff_scope():
        newest = apps.get_model(label).objects.order_by("-pk").values_list("pk", flat=True).first()
    return f"{list_url(label)}{newest}/change/"


def get(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, f"{url}: {response.status_code}"
    return markup.unescape(response.content.decode())


def visit(client: Client, url: str) -> tuple[int, str]:
    """Return how many queries a page takes, and its text."""
    with CaptureQueriesContext(database_connection) as captured:
        text = get(client, url)
    return sum(not query["sql"].startswith(SCOPES) for query in captured), text


@pytest.fixture
def others(acme, staff, world: World):
    """Rows of what other packages store, and what the world does without."""
    make_impersonation(acme, world.acme.member, staff)
    make_invitation(acme, "neo@example.com")
    make_role(acme, "night-desk", ["orders:read"])
    make_grant(acme, world.acme.member, "accounts:read", make_account(acme))
    every = IntervalSchedule.objects.create(every=2, period="seconds")
    AccessAttempt.objects.create(
        username="somebody", ip_address="127.0.0.8", failures_since_start=5, post_data="password=hunter2-hunter2"
    )
    PeriodicTask.objects.create(name="jobs.sweep", task="jobs.sweep", interval=every)
    ensure_queues(["sync"])
    with staff_scope():
        request_verification(actor=system_actor("tests"), now=clock.now())
        request_clearing(
            action=ClearingAction.REPLAY, letters=DeadLetters(), actor=system_actor("tests"), now=clock.now()
        )
        ReadOnlySwitch.objects.create(tenant_id=new_id(), reason="Migration", engaged_at=clock.now())


def test_every_registered_model_has_a_baseline():
    assert {model._meta.label_lower for model in admin.site._registry} == set(BASELINES)


@pytest.mark.long
def test_pages_show_in_exact_queries_and_never_a_secret(staff_client, world: World, others):
    secrets = [SECRET, TOKEN_IN_TRACEBACK, "hunter2-hunter2", world.acme.secret, world.globex.secret]
    secrets += [ENDPOINT_SECRET, world.acme.trade.secret, world.globex.trade.secret]
    secrets += [device.secret for device in Authenticator.objects.all()]
    pages = {url: get(staff_client, url) for url in ("/admin/", "/admin/live/")}
    measured = {}
    for label in BASELINES:
        urls = (list_url(label), page_url(label))
        (on_list, pages[urls[0]]), (on_page, pages[urls[1]]) = (visit(staff_client, url) for url in urls)
        measured[label] = (on_list, on_page)
    assert measured == BASELINES
    shown = {(url, secret) for url, text in pages.items() for secret in secrets if secret in text}
    assert shown == set()


def test_more_rows_cost_no_more_queries(staff_client, acme, world):
    make_transactions(make_account(acme), 40)
    count, _text = visit(staff_client, list_url("accounts.transaction"))
    assert count == BASELINES["accounts.transaction"][0]


def test_nothing_is_added_edited_or_deleted(staff_client, world, others):
    for label in BASELINES:
        page = page_url(label)
        assert staff_client.post(page, {"status": "active", "_save": "1"}).status_code == 403, label
        assert staff_client.get(f"{list_url(label)}add/").status_code == 403, label
        assert staff_client.post(page.replace("/change/", "/delete/"), {"post": "yes"}).status_code == 403, label


def test_deleting_a_selection_is_not_offered(staff_client, world: World):
    url = list_url("providers.connection")
    selection = {"action": "delete_selected", "_selected_action": [str(world.acme.connection.pk)], "post": "yes"}
    staff_client.post(url, selection)
    with staff_scope():
        assert Connection.objects.count() == 4


def test_lists_show_all_tenants_and_a_filter_shows_one(staff_client, world: World):
    everything = get(staff_client, list_url("providers.connection"))
    assert "acme bank" in everything
    assert "globex bank" in everything
    acme_only = get(staff_client, f"{list_url('providers.connection')}?tenant={world.acme.tenant.pk}")
    assert "acme bank" in acme_only
    assert "globex bank" not in acme_only


def test_a_search_by_id_finds_the_row_and_what_belongs_to_it(staff_client, world: World):
    by_connection = get(staff_client, f"{list_url('providers.syncrun')}?q={world.globex.connection.pk}")
    assert "globex bank" in by_connection
    assert "acme bank" not in by_connection


def test_an_empty_list_says_what_to_do_and_an_empty_search_how_to_clear_it(staff_client, world: World):
    assert "No quarantined rows yet" not in get(staff_client, list_url("providers.quarantinedrow"))
    with staff_scope():
        assert AuditEntry.objects.exists()
    nothing = get(staff_client, f"{list_url('audit.auditentry')}?q=no-such-action")
    assert "Nothing matches" in nothing
    assert "Clear search and filters" in nothing


def test_pages_follow_each_other_by_key(staff_client, acme):
    account = make_account(acme)
    for day in range(1, 29):
        for amount in ("-1.00", "-2.00", "-3.00", "-4.00"):
            make_transaction(account, amount, date=f"2026-02-{day:02d}")
    seen, url = [], list_url("accounts.transaction")
    while url:
        page = staff_client.get(url).context["cl"]
        seen += [row.pk for row in page.result_list]
        assert len(page.result_list) <= 50
        url = f"{list_url('accounts.transaction')}{page.next_url}" if page.next_url else ""
    with tenant_scope(acme.pk):
        expected = list(Transaction.objects.order_by("-date", "-id").values_list("pk", flat=True))
    assert len(seen) == 112
    assert seen == expected


def test_pages_of_one_tenant_follow_each_other_in_the_order_of_its_own_index(staff_client, acme, globex):
    make_entries(acme.pk, 60)
    make_entries(globex.pk, 3)
    seen, url = [], f"{list_url('audit.auditentry')}?tenant={acme.pk}"
    while url:
        page = staff_client.get(url).context["cl"]
        seen += [row.pk for row in page.result_list]
        url = f"{list_url('audit.auditentry')}{page.next_url}" if page.next_url else ""
    with tenant_scope(acme.pk):
        assert seen == list(AuditEntry.objects.order_by("-at", "-id").values_list("pk", flat=True))
    assert len(seen) > 60


@pytest.mark.parametrize("cursor", ["nonsense", "WyJhIl0=", "bm90IGpzb24="])
def test_a_cursor_that_is_not_ours_leads_back_to_the_list(staff_client, cursor):
    response = staff_client.get(f"{list_url('accounts.transaction')}?after={cursor}")
    assert response.status_code == 302
    assert response["Location"].endswith("?e=1")


def test_an_unknown_record_leads_back_to_the_list_with_a_word(staff_client):
    url = f"{list_url('providers.connection')}01900000-0000-7000-8000-000000000000/change/"
    response = staff_client.get(url, follow=True)
    assert response.redirect_chain == [(list_url("providers.connection"), 302)]
    assert "it may have been removed" in response.content.decode()


def test_amounts_are_grouped_and_coloured_by_direction_and_none_looks_like_nothing(staff_client, acme):
    account = make_account(acme, opening_balance="100", provider_balance=None)
    make_transaction(account, "-1234567.5")
    make_transaction(account, "0.000000000000000001")
    text = get(staff_client, list_url("accounts.transaction"))
    assert '<span class="fo-money fo-money-out">−1,234,567.50<span class="fo-ccy">USD</span></span>' in text
    assert '<span class="fo-money fo-money-in">+0.000000000000000001<span class="fo-ccy">USD</span></span>' in text


def test_a_record_moves_only_while_work_is_under_way(staff_client, world: World):
    page = f"{list_url('providers.syncrun')}{world.acme.run.pk}/change/"
    assert "data-moving" not in get(staff_client, page)
    assert "data-live" not in get(staff_client, page)
    fragment = get(staff_client, f"{page}?live")
    assert fragment.lstrip().startswith('<div class="fo-detail"')


def test_a_page_that_takes_too_long_says_how_to_narrow_it(staff, device):
    def slow(_request):
        with database_connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 50")
            cursor.execute("SELECT pg_sleep(5)")

    request = RequestFactory().get("/admin/audit/auditentry/?q=anything")
    request.user, staff.is_verified = staff, lambda: True
    response = admin.site.admin_view(slow)(request)
    assert response.status_code == 503
    assert "Choose a tenant first" in response.content.decode()
