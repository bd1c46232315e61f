"""One key under fire: real connections, real commits, a client that is killed."""

import time
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.actor import system_actor
from apps.core.scope import staff_scope, write_scope
from apps.idempotency import services
from apps.idempotency.models import IdempotencyRecord
from apps.idempotency.services import keep_answer, take_key
from apps.idempotency.types import Answer
from apps.outbox.models import OutboxEvent
from tests.databases import log_in
from tests.factories.outbox import make_event
from tests.forks import Forks, say
from tests.threads import at_once, begin, blocked_sessions
from tests.waiting import wait_until

pytestmark = [pytest.mark.commits, pytest.mark.urls("tests.idempotency.shop")]

ACME = UUID("0198c5a0-0000-7000-8000-00000000000a")


def _post(key: str, outcome: str = "201") -> Any:
    return APIClient(raise_request_exception=False).post(
        "/shop/a/purchases",
        {"amount": "1", "outcome": outcome},
        format="json",
        headers={"X-Tenant": str(ACME), "Idempotency-Key": key},
    )


def _post_until_done(key: str, outcome: str) -> Any:
    """What a client does: while the first request is still running (a slow machine), ask again."""
    for _ in range(10):
        answer = _post(key, outcome)
        if answer.json()["code" if answer.status_code == 409 else "id"] != "idempotency_in_flight":
            break
    return answer


def _counts() -> tuple[int, int]:
    with staff_scope():
        return OutboxEvent.objects.count(), IdempotencyRecord.objects.count()


@pytest.mark.parametrize(("outcome", "effects"), [("201", 1), ("409", 0)])
def test_fifty_posts_at_once_with_one_key_have_one_effect_and_one_answer(outcome: str, effects: int) -> None:
    answers = at_once(lambda _client: _post_until_done("key-1", outcome), range(50))
    assert {answer.status_code for answer in answers} == {int(outcome)}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert _counts() == (effects, 1)


def test_a_first_request_that_still_runs_after_the_wait_is_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "IN_FLIGHT_WAIT_MS", 100)
    with write_scope(system_actor("tests", tenant_id=ACME)):
        assert take_key(key="key-1", fingerprint=b"x", now=clock.now()) is None
        refused = begin(lambda: _post("key-1")).result(20)
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_in_flight")
    assert refused["Retry-After"] == "1"
    assert _counts() == (0, 1)


def test_a_request_waits_for_the_first_and_takes_the_key_when_that_one_fails() -> None:
    with pytest.raises(ZeroDivisionError), write_scope(system_actor("tests", tenant_id=ACME)):
        take_key(key="key-1", fingerprint=b"x", now=clock.now())
        waiting = begin(lambda: _post("key-1"))
        wait_until(blocked_sessions, what="the second request to wait for the key")
        raise ZeroDivisionError
    assert waiting.result(20).status_code == 201
    assert _counts() == (1, 1)


def test_the_wait_is_bounded_for_the_key_alone() -> None:
    with write_scope(system_actor("tests", tenant_id=ACME)), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        before = cursor.fetchone()
        take_key(key="key-1", fingerprint=b"x", now=clock.now())
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == before


def hold_a_key(database: str) -> None:
    """Take a key, have an effect, keep the answer, and do not commit."""
    log_in("web", database)
    actor = system_actor("tests", tenant_id=ACME)
    with write_scope(actor):
        take_key(key="key-1", fingerprint=b"x", now=clock.now())
        make_event(ACME)
        keep_answer(key="key-1", answer=Answer(status=201, body=b"{}"), secret=False, now=clock.now())
        say("held")
        time.sleep(60)


def test_a_process_that_is_killed_before_its_commit_leaves_the_key_free(forks: Forks, database: str) -> None:
    pid = forks.start(hold_a_key, database)
    assert forks.read() == "held"
    forks.kill(pid)
    assert _counts() == (0, 0)
    assert _post("key-1").status_code == 201
    assert _counts() == (1, 1)
