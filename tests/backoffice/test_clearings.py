"""A list of dead letters offers to clear all that it shows; the page says exactly which, and how far it is."""

import html as markup
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.contrib.messages import get_messages
from django.http import QueryDict
from django.test import Client

from apps.core.scope import staff_scope
from apps.jobs.models import Job
from apps.jobs.selectors import DeadLetters
from apps.ops.admin.asking import letters_of
from apps.ops.models import Clearing
from tests.backoffice.test_pages import get
from tests.backoffice.world import World, make_dead_job

LIST = "/admin/jobs/job/"
DEAD = "state__exact=dead"


def post(client: Client, action: str, query: str, **data: str) -> str:
    return markup.unescape(client.post(f"{LIST}all/{action}/?{query}", data).content.decode())


ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")


@pytest.mark.no_database
@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("", None),
        ("state__exact=queued", None),
        ("kind=statement.import", None),
        (f"{DEAD}&q=statement", None),
        (f"{DEAD}&tenant=nonsense", None),
        ("died=statement.import:TimeoutError&kind=other", None),
        ("died=statement.import:TimeoutError&state__exact=queued", None),
        (f"{DEAD}&since=nonsense", None),
        (DEAD, DeadLetters()),
        (
            f"{DEAD}&since=2026-03-02T18:00&until=2026-03-03",
            DeadLetters(
                enqueued_since=datetime(2026, 3, 2, 18, tzinfo=UTC), enqueued_before=datetime(2026, 3, 4, tzinfo=UTC)
            ),
        ),
        ("died=statement.import:", DeadLetters(kind="statement.import", code="")),
        ("died=statement.import:TimeoutError", DeadLetters(kind="statement.import", code="TimeoutError")),
        (f"{DEAD}&kind=a&queue=b&tenant={ACME}", DeadLetters(ACME, kind="a", queue="b")),
    ],
)
def test_what_a_list_of_jobs_shows_is_what_is_meant(query: str, meant: DeadLetters | None):
    assert letters_of(QueryDict(query)) == meant


def test_only_a_list_of_dead_letters_offers_to_clear_all(staff_client, world: World):
    assert "Replay all" in get(staff_client, f"{LIST}?{DEAD}")
    assert "Replay all" not in get(staff_client, LIST)
    assert staff_client.post(f"{LIST}all/replay/", {"confirmed": "1"}).status_code == 403
    assert Clearing.objects.count() == 0


def test_the_page_asks_first_and_says_exactly_which(staff_client, acme, world: World):
    now = world.acme.dead_job.created_at
    for code in ("bad_file", "bad_file", "no_file"):
        make_dead_job(acme, now=now, code=code)
    text = post(staff_client, "replay", f"{DEAD}&kind=statement.import")
    assert "5 dead letters of 2 tenants: kind statement.import, on every page of the list." in text
    assert '<span class="fo-code" title="">bad_file</span></td><td class="fo-num">2</td>' in text
    one = post(staff_client, "replay", f"died=statement.import:no_file&tenant={acme.pk}")
    assert "1 dead letter of 1 tenant: kind statement.import, died of no_file, tenant acme," in one


def test_discarding_needs_a_reason_and_shows_how_far_it_is(staff_client, acme, world: World):
    question = post(staff_client, "discard", DEAD, confirmed="1")
    assert "Say why: the audit log keeps it." in question
    answer = staff_client.post(f"{LIST}all/discard/?{DEAD}&tenant={acme.pk}", {"confirmed": "1", "reason": "left"})
    clearing = Clearing.objects.get()
    assert answer["Location"] == f"/admin/ops/clearing/{clearing.pk}/change/"
    assert (clearing.action, clearing.reason, clearing.total) == ("discard", "left", 1)
    waiting = get(staff_client, answer["Location"])
    for words in ("Discard: 1 dead letter", "tenant acme", "It waits for a worker", "data-moving"):
        assert words in waiting

    Clearing.objects.update(state="running", cleared=1200, total=5000, refused={"job_already_queued": 34})
    under_way = get(staff_client, answer["Location"])
    for words in ("1,200 / 5,000", "job_already_queued", "3,766", "Stop"):
        assert words in under_way
    assert "1,200 / 5,000" in get(staff_client, "/admin/ops/clearing/")
    stopped = staff_client.post(f"/admin/ops/clearing/{clearing.pk}/do/stop/", {"confirmed": "1"})
    assert [str(message) for message in get_messages(stopped.wsgi_request)] == ["1 clearing stopped."]
    over = get(staff_client, answer["Location"])
    assert "data-moving" not in over
    assert "<span>Not reached</span><b>3,766</b>" in over


def test_who_may_only_look_clears_nothing(viewing_client, world: World):
    assert "Replay all" not in get(viewing_client, f"{LIST}?{DEAD}")
    for action in ("replay", "discard"):
        data = {"confirmed": "1", "reason": "because"}
        assert viewing_client.post(f"{LIST}all/{action}/?{DEAD}", data).status_code == 403
    assert Clearing.objects.count() == 0


def test_the_page_of_a_dead_letter_tells_the_releases(staff_client, world: World, settings):
    job = world.acme.dead_job
    page = f"{LIST}{job.pk}/change/"
    settings.RELEASE = "2026.11.3"
    assert "it died under unknown" in get(staff_client, page)
    with staff_scope():
        assert Job.objects.get(pk=job.pk).run_release == ""
