"""Retention of the inbox: what was processed long ago goes, and what waits stays."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.scope import tenant_scope, write_scope
from apps.providers.models import InboundHook, RefusedHook
from apps.providers.services import forget_hooks, replay_hook
from apps.providers.tasks import forget_hooks as forget_all
from tests.factories.providers import actor_of, make_connection, make_hook, make_refused_hook

pytestmark = pytest.mark.worker_login


@pytest.fixture
def old():
    return clock.now() - timedelta(days=91)


def kept(tenant) -> tuple[list[str], list[str]]:
    with tenant_scope(tenant.id):
        events = InboundHook.objects.order_by("event_id").values_list("event_id", flat=True)
        return list(events), list(RefusedHook.objects.order_by("reason").values_list("reason", flat=True))


def test_what_was_processed_long_ago_goes_in_batches(acme, globex, old):
    ours, theirs = make_connection(acme), make_connection(globex)
    for connection in (ours, theirs):
        for number in range(3):
            make_hook(connection, event_id=f"old_{number}", now=old)
        make_hook(connection, event_id="young")
        make_refused_hook(connection, reason="stale_signature", now=old)
        make_refused_hook(connection)
    with write_scope(actor_of(acme)):
        InboundHook.objects.filter(event_id="old_1").update(state="received", processed_at=None)
        InboundHook.objects.filter(event_id="old_2").update(state="unreadable")
    assert [forget_hooks(before=clock.now() - timedelta(days=90), batch=2) for _ in range(4)] == [2, 2, 1, 0]
    assert kept(acme) == (["old_1", "young"], ["bad_signature"])
    assert kept(globex) == (["young"], ["bad_signature"])


def test_beat_forgets_it_all_but_what_is_replayed(acme, old):
    connection = make_connection(acme)
    hook = make_hook(connection, event_id="replayed", now=old)
    make_hook(connection, event_id="over", now=old)
    replay_hook(hook_id=hook.id, actor=actor_of(acme), now=clock.now())
    forget_all()
    assert kept(acme) == (["replayed"], [])
