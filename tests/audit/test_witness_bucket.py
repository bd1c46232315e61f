"""Checkpoints in a bucket with object lock: written once, locked for their time, the first of each size counts."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from apps.audit.models import AuditCheckpoint
from apps.audit.selectors import origin_of
from apps.core import clock
from apps.core.scope import tenant_scope
from finops.witness import bucket as buckets
from finops.witness.stores import Store, open_stores
from tests.audit.bucket import NAME, Bucket
from tests.audit.witnessed import grow, incidents, send
from tests.tampering import tamper

pytestmark = pytest.mark.worker_login

LAST = 10**20 - 1


@pytest.fixture(scope="module")
def server() -> Iterator[Bucket]:
    """One for all tests: botocore takes a fifth of a second to make a client."""
    with Bucket() as server, pytest.MonkeyPatch.context() as environment:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "AKIATEST",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
        }.items():
            environment.setenv(name, value)
        buckets._client.cache_clear()
        yield server
        buckets._client.cache_clear()
        server.shutdown()


@pytest.fixture
def bucket(server: Bucket, settings: Any) -> Bucket:
    server.versions, server.is_locked, server.lists_late = {}, True, False
    settings.WITNESSES, settings.WITNESS_RETAIN_DAYS = [f"s3://{NAME}/audit/logs"], 3650
    return server


@pytest.fixture
def store(bucket: Bucket) -> Store:
    [store] = open_stores()
    return store


def key_of(tenant_id: UUID, size: int) -> str:
    return f"audit/logs/{quote(origin_of(tenant_id), safe='')}/{LAST - size:020}-{size:020}.txt"


def note_of(tenant_id: UUID, size: int) -> str:
    with tenant_scope(tenant_id):
        return AuditCheckpoint.objects.get(size=size).note


def test_an_object_a_checkpoint_is_made_once_and_locked_for_its_time(acme: Any, bucket: Bucket, store: Store) -> None:
    grow(acme.id, 20)
    first = send(store, acme.id)
    assert (first.witness, first.held, first.problem) == (f"s3://{NAME}/audit/logs", 0, "")
    assert send(store, acme.id).held == first.size
    grow(acme.id, 20, 1)
    second = send(store, acme.id)
    assert (second.held, second.size > first.size) == (first.size, True)
    # The larger one is listed first.
    assert bucket.keys == [key_of(acme.id, size) for size in (second.size, first.size)]
    [kept] = bucket.versions[key_of(acme.id, second.size)]
    assert (kept.body.decode(), kept.mode) == (note_of(acme.id, second.size), "COMPLIANCE")
    locked_for = datetime.fromisoformat(kept.until) - clock.now()
    assert timedelta(days=3649) < locked_for <= timedelta(days=3650)
    assert incidents(acme.id) == []


def test_what_was_put_on_top_of_a_checkpoint_hides_nothing(acme: Any, bucket: Bucket, store: Store) -> None:
    grow(acme.id, 20)
    size = send(store, acme.id).size
    tamper("UPDATE audit_entry SET leaf_hash = sha256('forged') WHERE tenant_id = %s AND sequence = 7", acme.id)
    bucket.put(key_of(acme.id, size), b"nothing to see here")
    assert send(store, acme.id).is_contradicted
    [(severity, problem)] = incidents(acme.id)
    assert (severity, "the log was forked" in problem) == ("critical", True)
    for _ in range(100):
        bucket.put(key_of(acme.id, size), b"nor here")
    found = send(store, acme.id)
    assert (found.is_contradicted, "was written over again and again" in found.problem) == (False, True)


def test_a_checkpoint_that_another_worker_has_kept_meanwhile_is_looked_at(
    acme: Any, globex: Any, bucket: Bucket, store: Store
) -> None:
    grow(acme.id, 20)
    size = send(store, acme.id).size
    bucket.lists_late = True
    same = send(store, acme.id)
    assert (same.held, same.size, same.problem) == (size, size, "")
    assert len(bucket.versions[key_of(acme.id, size)]) == 1

    grow(acme.id, 20, 1)
    grow(globex.id, 20)
    with tenant_scope(acme.id):
        latest = AuditCheckpoint.objects.latest("size").size
    bucket.put(key_of(acme.id, latest), note_of(acme.id, size).replace(f"\n{size}\n", f"\n{latest}\n").encode())
    bucket.lists_late = True
    assert send(store, acme.id).is_contradicted
    assert len(incidents(acme.id)) == 1
    assert incidents(globex.id) == []


def test_a_bucket_without_locks_keeps_nothing_and_says_so(acme: Any, bucket: Bucket, store: Store) -> None:
    bucket.is_locked = False
    grow(acme.id, 20)
    found = send(store, acme.id)
    assert found.problem == (
        f"s3://{NAME}/audit/logs: put_object: InvalidRequest Bucket is missing Object Lock Configuration"
    )
    assert (found.is_contradicted, bucket.versions, incidents(acme.id)) == (False, {}, [])
