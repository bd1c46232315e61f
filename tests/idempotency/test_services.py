"""How long answers are kept, and how they are forgotten."""

import sys
import time
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.crypto import DecryptionFailed
from apps.core.scope import staff_scope, system_scope, tenant_scope, write_scope
from apps.idempotency.errors import IdempotencyAnswerExpired, IdempotencyKeyReused
from apps.idempotency.models import IdempotencyRecord
from apps.idempotency.services import expire_records, keep_answer, take_key
from apps.idempotency.tasks import expire
from apps.idempotency.types import Answer
from tests import databases

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")
GLOBEX = UUID("0198c5a0-0000-7000-8000-00000000000b")
ACTOR = system_actor("tests", tenant_id=ACME)
ANSWER = Answer(status=201, body=b'{"id":"1"}', headers={"ETag": '"1"'})
DAY, MONTH = timedelta(hours=24), timedelta(days=30)
MOMENT = timedelta(microseconds=1)
MANY = """
INSERT INTO idempotency_record (id, tenant_id, key, fingerprint, status, headers, body, created_at, expires_at)
SELECT gen_random_uuid(), %(tenant)s, 'key-' || number, '', 201, '{}', '{}', %(now)s, %(now)s + interval '30 days'
FROM generate_series(1, %(many)s) AS number
"""


def _keep(now: datetime, *, key: str = "key", secret: bool = False, tenant: UUID = ACME) -> None:
    with write_scope(ACTOR.for_tenant(tenant)):
        assert take_key(key=key, fingerprint=b"request", now=now) is None
        keep_answer(key=key, answer=ANSWER, secret=secret, now=now)


def _ask(now: datetime, *, fingerprint: bytes = b"request") -> Answer | None:
    with write_scope(ACTOR):
        return take_key(key="key", fingerprint=fingerprint, now=now)


def _keys() -> set[str]:
    with system_scope():
        return set(IdempotencyRecord.objects.values_list("key", flat=True))


def test_an_answer_is_kept_for_30_days(now: datetime) -> None:
    _keep(now)
    assert _ask(now + MONTH - MOMENT) == ANSWER


def test_after_30_days_the_key_is_free_even_before_the_sweep(now: datetime) -> None:
    _keep(now, secret=True)
    with pytest.raises(IdempotencyKeyReused):
        _ask(now + MONTH - MOMENT, fingerprint=b"another")
    later = now + MONTH
    with write_scope(ACTOR):
        assert take_key(key="key", fingerprint=b"another", now=later) is None
        keep_answer(key="key", answer=ANSWER, secret=False, now=later)
    assert _ask(later + MONTH - MOMENT, fingerprint=b"another") == ANSWER


def test_a_secret_answer_is_kept_for_24_hours_and_its_key_for_30_days(now: datetime) -> None:
    _keep(now, secret=True)
    assert _ask(now + DAY - MOMENT) == ANSWER
    for age in (DAY, MONTH - MOMENT):
        with pytest.raises(IdempotencyAnswerExpired):
            _ask(now + age)
    assert _ask(now + MONTH) is None


def test_a_secret_answer_cannot_be_moved_to_another_key(now: datetime) -> None:
    _keep(now, key="key", secret=True)
    _keep(now, key="other", secret=True)
    with write_scope(ACTOR):
        other = IdempotencyRecord.objects.get(key="other")
        IdempotencyRecord.objects.filter(key="key").update(body=other.body)
    with pytest.raises(DecryptionFailed):
        _ask(now)


@pytest.mark.worker_login
def test_expiry_forgets_what_is_over_and_nothing_else(now: datetime) -> None:
    _keep(now, key="old")
    _keep(now, key="old", tenant=GLOBEX)
    _keep(now + MOMENT, key="secret", secret=True)
    _keep(now + DAY, key="young")
    assert expire_records(now=now + DAY) == 0
    assert expire_records(now=now + DAY + MOMENT) == 1
    assert _keys() == {"old", "secret", "young"}
    with tenant_scope(ACME):
        bodies = dict(IdempotencyRecord.objects.values_list("key", "body"))
    assert bodies["secret"] is None
    assert bytes(bodies["young"] or b"") == ANSWER.body
    assert expire_records(now=now + MONTH) == 2
    assert _keys() == {"secret", "young"}


@pytest.mark.worker_login
def test_expiry_works_in_batches_until_nothing_is_left(now: datetime) -> None:
    for number in range(5):
        _keep(now, key=f"key-{number}")
    with CaptureQueriesContext(connection) as captured:
        assert expire_records(now=now + MONTH, batch=2) == 5
    deletes = [query["sql"] for query in captured if "DELETE" in query["sql"]]
    assert len(deletes) == 3
    assert sum(query["sql"] == "COMMIT" for query in captured) == 4, "each by itself, as the look for secrets is"
    assert _keys() == set()


@pytest.mark.worker_login
def test_expiry_ends_in_time_and_the_next_run_goes_on(now: datetime) -> None:
    _keep(now)
    assert expire_records(now=now + MONTH, seconds=0) == 0
    assert _keys() == {"key"}
    assert expire_records(now=now + MONTH) == 1


@pytest.mark.prove
@pytest.mark.worker_login
def test_three_hundred_thousand_expire_at_once_while_an_old_snapshot_is_open(now: datetime, database: str) -> None:
    """What was deleted stays in the index for as long as somebody might look at it: it is not gone through again."""
    many = 300_000
    with databases.as_owner(database) as owner:
        owner.execute(MANY, {"many": many, "tenant": ACME, "now": now})
        with psycopg.connect(databases.url("owner", database)) as old:
            old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            old.execute("SELECT count(*) FROM idempotency_record")
            started = time.monotonic()
            changed, runs = 0, 0
            while found := expire_records(now=now + MONTH):
                changed, runs = changed + found, runs + 1
            sys.stdout.write(f"{many / (time.monotonic() - started):.0f} records/s in {runs} runs\n")
    assert changed == many
    assert _keys() == set()


@pytest.mark.worker_login
def test_the_task_forgets_everything_that_is_over() -> None:
    _keep(clock.now() - MONTH, key="old")
    _keep(clock.now() - DAY, key="secret", secret=True)
    _keep(clock.now(), key="young")
    expire()
    assert _keys() == {"secret", "young"}


@pytest.mark.commits
def test_records_are_their_tenants_alone(now: datetime) -> None:
    _keep(now)
    with tenant_scope(GLOBEX):
        assert IdempotencyRecord.objects.count() == 0
    with pytest.raises(DatabaseError, match="permission denied"):
        IdempotencyRecord.objects.count()
    for scope in (tenant_scope(ACME), staff_scope()):
        with scope, pytest.raises(DatabaseError, match="permission denied"):
            IdempotencyRecord.objects.all().delete()
