"""`idempotency.answers`: a key without its answer, and a secret that outlives its time, are found."""

from datetime import timedelta

import pytest

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import snapshot_scope, write_scope
from apps.idempotency.models import IdempotencyRecord
from apps.idempotency.services import keep_answer, take_key
from apps.idempotency.types import Answer
from tests.tampering import found, looked_at, tamper

pytestmark = pytest.mark.worker_login

CHECK = "idempotency.answers"


@pytest.fixture
def records(acme) -> dict[str, str]:
    """The ids of a plain record and of one whose answer is a secret."""
    for key, secret in (("plain", False), ("secret", True)):
        with write_scope(system_actor("tests", tenant_id=acme.id)):
            take_key(key=key, fingerprint=b"f" * 32, now=clock.now())
            keep_answer(key=key, answer=Answer(status=201, body=b"{}"), secret=secret, now=clock.now())
    with snapshot_scope():
        return {record.key: str(record.id) for record in IdempotencyRecord.objects.all()}


def test_keys_with_their_answers_are_proved(records) -> None:
    assert looked_at(CHECK) == 2


def test_a_key_without_an_answer_is_found(records) -> None:
    tamper("UPDATE idempotency_record SET status = NULL WHERE id = %s", records["plain"])
    row = ("idempotency_record", records["plain"], "a status, a fingerprint of 32 bytes")
    assert found(CHECK) == [(*row, "status None, a fingerprint of 32 bytes")]


def test_an_answer_without_its_body_is_found(records) -> None:
    tamper("UPDATE idempotency_record SET body = NULL WHERE id = %s", records["plain"])
    assert found(CHECK) == [("idempotency_record", records["plain"], "a body", "none")]


def test_a_secret_that_went_in_time_is_as_it_should_be(records) -> None:
    past = clock.now() - timedelta(hours=1)
    tamper("UPDATE idempotency_record SET body = NULL, body_expires_at = %s WHERE id = %s", past, records["secret"])
    assert looked_at(CHECK) == 2


def test_a_secret_and_a_record_that_are_kept_too_long_are_found(records) -> None:
    long_ago = "2026-01-01 00:00:00+00:00"
    tamper("UPDATE idempotency_record SET body_expires_at = %s WHERE id = %s", long_ago, records["secret"])
    tamper("UPDATE idempotency_record SET expires_at = %s WHERE id = %s", long_ago, records["plain"])
    assert sorted(found(CHECK)) == sorted(
        ("idempotency_record", record, f"gone after {long_ago}", "still kept") for record in records.values()
    )
