"""Webhooks of providers: judged, kept, processed once, replayed. See docs/adr/0025-inbound-webhooks.md.

A webhook is a hint: all that it can bring about is that the provider is asked. So one that comes twice, late or out of
order does no harm, and the provider's answer alone changes anything of ours.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import F
from django.utils.translation import gettext as _

from apps.core.actor import Actor, system_actor
from apps.core.crypto import DecryptionFailed
from apps.core.db.finding import get_one
from apps.core.errors import NotFound, ReadOnly
from apps.core.ids import new_id
from apps.core.scope import write_scope
from apps.jobs.errors import RetryLater
from apps.jobs.services import enqueue, settle
from apps.jobs.types import Lease
from apps.providers import events, metrics, registry
from apps.providers.enums import HookState, SyncStatus, SyncTrigger
from apps.providers.errors import ConnectionDisabled
from apps.providers.hooks import HookEvent, HookRejected, HookSpec
from apps.providers.models import Connection, InboundHook, RefusedHook
from apps.providers.selectors import HookConnection, find_hook_connection
from apps.providers.services.recording import record
from apps.providers.services.runs import request_sync
from apps.providers.types import PROCESS_HOOK, ReceivedHook

# Of what is refused a piece is kept, for people to see what it was.
EXCERPT_BYTES = 2_000
_KEPT_HEADERS = ("Content-Type", "User-Agent")
# A sync that began before the webhook may have read past what it tells of: another one follows.
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5, 600


def receive_hook(*, provider: str, connection_id: UUID, received: ReceivedHook, request_id: str, now: datetime) -> None:
    """Keep a webhook that is proved to be the provider's, once per event and connection; its job follows.

    Raises:
        NotFound: there is no such provider or connection, or nothing proves that the provider has sent it. Which of
            them it was is for the staff to see, not for the sender.
        ReadOnly: writing is switched off; the provider sends it again.
    """
    spec = _find_spec(provider)
    if spec is None:
        metrics.HOOKS.labels("unknown", "unknown_provider").inc()
        raise NotFound
    found = find_hook_connection(provider, connection_id)
    if found is None:
        metrics.HOOKS.labels(provider, "unknown_connection").inc()
        raise NotFound
    actor = system_actor(f"{provider}-webhook", tenant_id=found.tenant_id, request_id=request_id)
    try:
        event = _judge(spec, found, received, now)
    except HookRejected as rejected:
        metrics.HOOKS.labels(provider, rejected.code).inc()
        _keep_refusal(found, rejected.code, received, actor, now)
        raise NotFound from rejected
    is_new = _keep(found, spec, event, received, actor, now)
    metrics.HOOKS.labels(provider, "accepted" if is_new else "duplicate").inc()


def process_hook(lease: Lease, *, now: datetime) -> None:
    """Do what a kept webhook asks for, and settle the lease with it; one that is processed already is left as it is.

    Whoever has it processed again sees either a job that is still to do so, or none.

    Raises:
        RetryLater: a sync is under way that may have read past what it tells of.
    """
    with write_scope(lease.actor):
        hooks = InboundHook.objects.select_for_update(of=("self",)).select_related("connection")
        hook = hooks.get(id=lease.payload["hook_id"])
        if hook.state != HookState.PROCESSED:
            _process(hook, lease, now)
        settle(lease, now=now)


def replay_hook(*, hook_id: UUID, actor: Actor, now: datetime) -> InboundHook:
    """Process a kept webhook again; one that still waits is left to its job.

    Raises:
        NotFound.
        ConnectionDisabled: there is nothing left that it could be about.
    """
    with write_scope(actor):
        rows = InboundHook.objects.select_for_update(of=("self",)).select_related("connection")
        row = get_one(rows.filter(id=hook_id))
        if row.connection.is_disabled:
            raise ConnectionDisabled
        before = row.state
        row.state, row.outcome, row.processed_at, row.replays = HookState.RECEIVED, "", None, row.replays + 1
        row.save(update_fields=["state", "outcome", "processed_at", "replays"])
        _enqueue(row, actor, now)
        changes = {"hook_id": [None, str(row.id)], "state": [before, row.state]}
        record(events.CONNECTION_HOOK_REPLAYED, row.connection_id, changes, actor, now)
        return row


def _process(hook: InboundHook, lease: Lease, now: datetime) -> None:
    hook.state, hook.processed_at = HookState.PROCESSED, now
    try:
        event = _parse(hook)
    except HookRejected as rejected:
        hook.state, hook.outcome = HookState.UNREADABLE, rejected.code
    else:
        hook.event_type, hook.outcome = event.type, _act(event, hook.connection, lease.attempt, lease.actor, now)
    hook.save(update_fields=["state", "outcome", "event_type", "processed_at"])


def _judge(spec: HookSpec, found: HookConnection, received: ReceivedHook, now: datetime) -> HookEvent | None:
    """Return the event of a proved body; None for one that is proved and makes no sense to us."""
    signature = received.headers.get(spec.header, "")

    def credentials() -> Mapping[str, str]:
        try:
            return registry.credentials_of(found.tenant_id, found.connection_id) or {}
        except DecryptionFailed as error:
            raise HookRejected("credentials_unreadable", "the connection's credentials cannot be read") from error

    spec.judge(signature, received.body, credentials, now)
    try:
        event = spec.parse(received.body)
    except HookRejected:
        return None
    # The signature is the application's, so it says nothing of whose enrolment this is.
    if event.enrollment_id and event.enrollment_id != found.external_id:
        raise HookRejected("wrong_connection", "the event is about another enrolment")
    return event


def _parse(hook: InboundHook) -> HookEvent:
    spec = _find_spec(hook.connection.provider)
    if spec is None:
        raise HookRejected("provider_unavailable", "the adapter that reads it is gone")
    return spec.parse(bytes(hook.body))


def _keep(
    found: HookConnection,
    spec: HookSpec,
    event: HookEvent | None,
    received: ReceivedHook,
    actor: Actor,
    now: datetime,
) -> bool:
    """Store it with its leaf and its job; return whether it had not come before."""
    digest = hashlib.sha256(received.body).hexdigest()
    kept = [name for name in (*_KEPT_HEADERS, spec.header) if name in received.headers]
    hook = InboundHook(
        id=new_id(),
        tenant_id=found.tenant_id,
        connection_id=found.connection_id,
        event_id=event.id if event else f"sha256:{digest}",
        event_type=event.type if event else "",
        headers={name: received.headers[name][:1000] for name in kept},
        body=received.body,
        received_at=now,
    )
    with write_scope(actor):
        InboundHook.objects.bulk_create([hook], ignore_conflicts=True)
        if not InboundHook.objects.filter(id=hook.id).exists():
            return False
        changes = {"hook_id": [None, str(hook.id)], "event": [None, hook.event_id], "body_sha256": [None, digest]}
        record(events.CONNECTION_HOOK_RECEIVED, found.connection_id, changes, actor, now)
        _enqueue(hook, actor, now)
        return True


def _keep_refusal(found: HookConnection, reason: str, received: ReceivedHook, actor: Actor, now: datetime) -> None:
    """Count it. Of several that are the first at once, one counts."""
    latest = {"sent_from": received.address or None, "excerpt": received.body[:EXCERPT_BYTES], "last_seen_at": now}
    try:
        with write_scope(actor):
            known = RefusedHook.objects.filter(connection_id=found.connection_id, reason=reason)
            if known.update(occurrences=F("occurrences") + 1, **latest):
                return
            row = RefusedHook(
                id=new_id(),
                tenant_id=found.tenant_id,
                connection_id=found.connection_id,
                reason=reason,
                first_seen_at=now,
                **latest,
            )
            RefusedHook.objects.bulk_create([row], ignore_conflicts=True)
    except ReadOnly:
        return  # The metric has it; the answer must not tell that the connection exists.


def _act(event: HookEvent, connection: Connection, attempt: int, actor: Actor, now: datetime) -> str:
    if event.wants == "nothing":
        return "nothing_to_do"
    if connection.is_disabled:
        return "connection_disabled"
    run = request_sync(connection_id=connection.id, trigger=SyncTrigger.WEBHOOK, actor=actor, now=now)
    if run.status == SyncStatus.RUNNING:
        wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
        raise RetryLater(wait, _("A sync is under way; another one follows it."))
    return "sync_requested" if run.created_at == now else "sync_waiting"


def _find_spec(provider: str) -> HookSpec | None:
    registration = registry.find(provider)
    return registration.spec.hook if registration and registration.spec else None


def _enqueue(hook: InboundHook, actor: Actor, now: datetime) -> None:
    enqueue(kind=PROCESS_HOOK, payload={"hook_id": str(hook.id)}, actor=actor, now=now, unique_key=str(hook.id))
