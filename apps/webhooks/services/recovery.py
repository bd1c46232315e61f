"""Sending again what an endpoint missed: in batches, the oldest first, with a row that tells how far it is."""

from datetime import datetime
from uuid import UUID

from django.db.models import Min, QuerySet

from apps.core.actor import Actor, system_actor
from apps.core.scope import current_tenant_id, request_wake, system_scope, write_scope
from apps.jobs import services as jobs
from apps.jobs.types import Lease
from apps.webhooks import events
from apps.webhooks.enums import LOST_STATUSES, EndpointStatus
from apps.webhooks.models import Delivery, Endpoint, Recovery
from apps.webhooks.selectors import lost_while_failing
from apps.webhooks.services import queueing
from apps.webhooks.services.changing import record
from apps.webhooks.services.endpoints import update_endpoint
from apps.webhooks.services.locking import locked_enabled_endpoint, locked_endpoint
from apps.webhooks.types import RECOVER

# One transaction's share: it holds the endpoint's lock, for which the relay waits half a second.
BATCH = 500


def recover(*, endpoint_id: UUID, since: datetime, actor: Actor, now: datetime) -> Recovery:
    """Queue again what failed or was discarded of the deliveries made since a time, the oldest first.

    The first 500 at once, the rest by a job; until all are queued, what happens meanwhile waits behind them. Asked
    again while that is at work, the same recovery goes on, from the earlier of both times; afterwards, what has arrived
    or is waiting is not touched.

    Raises:
        NotFound, EndpointDisabled: see `locked_enabled_endpoint`.
    """
    with write_scope(actor):
        endpoint = locked_enabled_endpoint(endpoint_id)
        recovery = _begin(endpoint, since, now)
        changes = {"since": [None, recovery.since], "to_send_again": [None, recovery.total - recovery.queued_again]}
        record(events.ENDPOINT_RECOVERED, endpoint.id, changes, actor, now)
        if not _queue_batch(endpoint, recovery, now):
            queueing.hold_back(recovery, now=now)
            _enqueue(recovery, actor, now)
    return recovery


def continue_recovery(lease: Lease, *, now: datetime) -> None:
    """Queue the next batch of a recovery; settles the lease with it. One that was stopped ends where it is.

    Also while writing is switched off: sending goes on then, and new deliveries wait for the recovery's end.
    """
    with write_scope(lease.actor, even_if_read_only=True):
        endpoint = Endpoint.objects.select_for_update(no_key=True).get(id=lease.payload["endpoint_id"])
        recovery = Recovery.objects.filter(id=lease.payload["recovery_id"], finished_at=None).first()
        if recovery is not None and not _queue_batch(endpoint, recovery, now):
            _enqueue(recovery, lease.actor, now)
        jobs.settle(lease, now=now)


def push_recoveries(*, now: datetime) -> None:
    """See to it that each recovery at work has its job: one whose job has died or was discarded gets another one."""
    with system_scope():
        found = Recovery.objects.filter(finished_at=None).order_by("id")
        at_work = list(found.values_list("id", "tenant_id", "endpoint_id"))
    for recovery_id, tenant_id, endpoint_id in at_work:
        actor = system_actor("webhooks", tenant_id=tenant_id)
        with write_scope(actor, even_if_read_only=True):
            Endpoint.objects.select_for_update(no_key=True).get(id=endpoint_id)
            recovery = Recovery.objects.filter(id=recovery_id, finished_at=None).first()
            if recovery is not None:
                _enqueue(recovery, actor, now)


def enable_endpoint(
    *,
    endpoint_id: UUID,
    replay: bool = True,
    reason: str = "",
    expected_version: int | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[Endpoint, Recovery | None]:
    """Enable an endpoint, and send again what it has missed since it began to fail; the first failure goes first.

    Of an endpoint that is enabled already nothing is changed. Without a failure there is nothing to replay.

    Raises:
        NotFound, VersionConflict: see `locked_endpoint`.
    """
    with write_scope(actor):
        endpoint = locked_endpoint(endpoint_id, expected_version=expected_version)
        if endpoint.status == EndpointStatus.ENABLED:
            return endpoint, None
        since = _first_loss(endpoint) if replay else None
        endpoint = update_endpoint(
            endpoint_id=endpoint_id, status=EndpointStatus.ENABLED, reason=reason, actor=actor, now=now
        )
        if since is None:
            return endpoint, None
        return endpoint, recover(endpoint_id=endpoint_id, since=since, actor=actor, now=now)


def _begin(endpoint: Endpoint, since: datetime, now: datetime) -> Recovery:
    """Return the endpoint's recovery, a new one or the one at work, with what there is to do."""
    recovery = Recovery.objects.filter(endpoint_id=endpoint.id, finished_at=None).first()
    is_new = recovery is None
    recovery = recovery or Recovery(tenant_id=current_tenant_id(), endpoint=endpoint, since=since, begun_at=now)
    recovery.since, recovery.until = min(recovery.since, since), now
    recovery.total = recovery.queued_again + _lost(endpoint, recovery).count()
    if is_new:
        recovery.save(force_insert=True)
    else:
        recovery.save(update_fields=["since", "until", "total"])
    return recovery


def _queue_batch(endpoint: Endpoint, recovery: Recovery, now: datetime) -> bool:
    """Queue one batch under the endpoint's lock, and tell whether it was the last."""
    chosen: dict[UUID, int] = {}
    if endpoint.status == EndpointStatus.ENABLED:
        lost = _lost(endpoint, recovery).order_by("sequence")
        chosen = dict(lost.values_list("id", "sequence")[:BATCH])
    is_first = not recovery.queued_again
    recovery.queued_again += len(chosen)
    recovery.queued_up_to = max(chosen.values(), default=recovery.queued_up_to)
    if len(chosen) < BATCH:
        recovery.finished_at = now
    # What becomes due goes by this row.
    recovery.save(update_fields=["queued_again", "queued_up_to", "finished_at"])
    queueing.queue_again(Delivery.objects.filter(id__in=list(chosen)), now=now)
    if recovery.finished_at is not None and not is_first:
        queueing.arm_rest(endpoint.id, now=now)
    request_wake("webhooks")
    return recovery.finished_at is not None


def _enqueue(recovery: Recovery, actor: Actor, now: datetime) -> None:
    # How far it has come makes the key: a batch's job stands beside its successor for a moment.
    key = f"{recovery.id}:{recovery.queued_again}"
    payload = {"recovery_id": str(recovery.id), "endpoint_id": str(recovery.endpoint_id)}
    jobs.enqueue(kind=RECOVER, payload=payload, unique_key=key, actor=actor, now=now)


def _lost(endpoint: Endpoint, recovery: Recovery) -> QuerySet[Delivery]:
    """Return what is to be queued. What fails again after `until` is not: a recovery comes to an end."""
    return Delivery.objects.filter(
        tenant_id=endpoint.tenant_id,
        endpoint_id=endpoint.id,
        status__in=LOST_STATUSES,
        created_at__gte=recovery.since,
        finished_at__lte=recovery.until,
    )


def _first_loss(endpoint: Endpoint) -> datetime | None:
    """Return when the oldest of the deliveries was made that were lost since the endpoint began to fail."""
    at: datetime | None = lost_while_failing(endpoint).aggregate(at=Min("created_at"))["at"]
    return at
