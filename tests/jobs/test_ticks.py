"""Which instant is due, who takes it, who leads, and what is left when the leader is killed."""

import itertools
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import redis
from celery import Celery, schedules
from django.db import connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.core import clock
from finops.celery import app
from finops.ticks import instant_due, take
from tests import databases
from tests.databases import log_in
from tests.forks import Forks
from tests.waiting import wait_until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVERY_TWO_SECONDS = schedules.schedule(timedelta(seconds=2))


def due_after(seconds: float) -> float | None:
    """Return which instant of an entry with two seconds between its ticks is due, in seconds after its last one."""
    instant = instant_due(EVERY_TWO_SECONDS, last=NOON, now=NOON + timedelta(seconds=seconds))
    return None if instant is None else (instant - NOON).total_seconds()


@pytest.mark.no_database
def test_missed_ticks_are_made_up_for_one_by_one_unless_there_are_many() -> None:
    assert [due_after(seconds) for seconds in (0, 1.9, 2, 3.9, 4, 9.9)] == [None, None, 2, 2, 2, 2]
    assert [due_after(seconds) for seconds in (10.1, 11.9, 12, 3600.5)] == [10, 10, 12, 3600]
    hourly = schedules.schedule(timedelta(hours=1))
    assert instant_due(hourly, last=NOON, now=NOON + timedelta(hours=1, seconds=40)) == NOON + timedelta(hours=1)


@pytest.mark.no_database
def test_a_crontabs_ticks_have_the_instants_that_it_names() -> None:
    at_four = schedules.crontab(hour="4", minute="0", nowfun=lambda: datetime(2026, 3, 5, 4, 0, 7, 310_000, tzinfo=UTC))
    last, now = datetime(2026, 3, 2, 4, tzinfo=UTC), at_four.now()
    assert instant_due(at_four, last=datetime(2026, 3, 4, 4, tzinfo=UTC), now=now) == now.replace(
        second=0, microsecond=0
    )
    assert instant_due(at_four, last=now.replace(second=0, microsecond=0), now=now) is None
    assert instant_due(at_four, last=last, now=now) == now.replace(second=0, microsecond=0), (
        "of three days only the last"
    )


def make_entry(name: str, *, seconds: int = 1, queue: str = "ticks", last: datetime | None = None) -> PeriodicTask:
    every, _created = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
    return PeriodicTask.objects.create(name=name, task=name, interval=every, queue=queue, last_run_at=last)


def test_a_tick_is_taken_once_and_none_before_one_that_was() -> None:
    entry = make_entry("test.tick")
    assert [take("test.tick", NOON), take("test.tick", NOON)] == [True, False]
    assert take("test.tick", NOON - timedelta(seconds=1)) is False
    assert take("test.tick", NOON + timedelta(seconds=1)) is True
    entry.refresh_from_db()
    assert (entry.last_run_at, entry.total_run_count) == (NOON + timedelta(seconds=1), 2)


def test_ticks_go_on_when_a_clock_that_was_ahead_has_been_put_right() -> None:
    from finops.beat import LeaderScheduler

    now = clock.now()
    make_entry("test.tick", last=now + timedelta(hours=9))
    entry = LeaderScheduler(app=Celery("beat", set_as_current=False), lazy=True).all_as_schedule()["test.tick"]
    assert entry.is_due().next <= 1
    assert [take("test.tick", now), take("test.tick", now)] == [True, False]


def test_what_staff_have_paused_is_not_taken() -> None:
    entry = make_entry("test.tick")
    PeriodicTask.objects.filter(pk=entry.pk).update(enabled=False)
    assert take("test.tick", NOON) is False
    entry.refresh_from_db()
    assert (entry.last_run_at, entry.total_run_count) == (None, 0)


def test_a_daily_tick_that_was_missed_hours_ago_is_made_up_for() -> None:
    from finops.beat import LeaderScheduler

    now = clock.now()
    daily = CrontabSchedule.objects.create(minute="0", hour=str((now - timedelta(hours=6)).hour), timezone=UTC)
    PeriodicTask.objects.create(name="test.daily", task="t", crontab=daily, last_run_at=now - timedelta(days=1))
    entry = LeaderScheduler(app=Celery("beat", set_as_current=False), lazy=True).all_as_schedule()["test.daily"]
    assert entry.is_due().is_due


@pytest.mark.commits
def test_one_leads_and_loses_it_with_its_session(database: str) -> None:
    from finops.beat import Leadership

    first, second = Leadership(), Leadership()
    assert [first.prove(), second.prove(), first.prove()] == [True, False, True]
    with databases.as_owner(database) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert (first.prove(), first.is_held) == (False, False)
    wait_until(second.prove, what="the other one's lead")
    assert first.prove() is False
    second.give_up()
    wait_until(first.prove, what="the first one's, again")
    first.give_up()


def beat(database: str, name: str) -> None:
    """Be a beat; PostgreSQL is told the name, so that the leader can be told from the other."""
    os.environ["PGAPPNAME"] = name
    log_in("worker", database)
    app.Beat(loglevel="WARNING").run()


@pytest.mark.commits
def test_a_beat_outlives_the_sessions_that_its_database_ends(database: str) -> None:
    from finops.beat import WAIT_SECONDS, LeaderScheduler

    scheduler = LeaderScheduler(app=Celery("beat", set_as_current=False), lazy=True)
    assert scheduler.tick() > WAIT_SECONDS, "it leads, and nothing is due"
    with databases.as_owner(database) as owner:
        owner.execute(_END_OTHERS, [database])
    assert [scheduler.tick(), scheduler.tick()] == [WAIT_SECONDS, WAIT_SECONDS]
    wait_until(lambda: scheduler.tick() > WAIT_SECONDS, what="the lead, again")
    scheduler.close()


@pytest.mark.commits
def test_a_beat_that_does_not_reach_the_broker_leaves_the_lead_to_another() -> None:
    from finops.beat import BROKER_WAIT_SECONDS, LeaderScheduler, Leadership

    make_entry("test.tick", last=clock.now() - timedelta(seconds=5))
    nowhere = Celery("beat", broker="redis://127.0.0.1:1/0", set_as_current=False)
    cut_off, other = LeaderScheduler(app=nowhere, lazy=True), Leadership()
    assert cut_off.tick() == BROKER_WAIT_SECONDS
    wait_until(other.prove, what="the other one's lead")
    assert cut_off.tick() < BROKER_WAIT_SECONDS, "it does not lead"
    other.give_up()
    cut_off.close()


_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()
"""


class Beats:
    """Beats, of which one leads; what they send to the queue of the tests is taken as a worker would."""

    def __init__(self, forks: Forks, database: str, broker: redis.Redis) -> None:
        self._forks, self._database, self._broker = forks, database, broker
        self._alive: dict[str, int] = {}
        self._names = (f"beat-{number}" for number in itertools.count())
        self.taken, self.refused = list[datetime](), list[datetime]()

    def start(self) -> None:
        name = next(self._names)
        self._alive[name] = self._forks.start(beat, self._database, name)

    def kill_the_leader(self) -> None:
        self._forks.kill(self._alive.pop(self.leader()))

    def leader(self) -> str:
        with connection.cursor() as cursor:
            cursor.execute(_LEADER)
            found = cursor.fetchone()
        return found[0] if found else ""

    def waiting(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(_WAITING)
            return int(cursor.fetchone()[0])

    def take_until(self, count: int, *, seconds: float = 60) -> None:
        """Take ticks until there are so many of them."""
        deadline = time.monotonic() + seconds
        while len(self.taken) < count:
            assert time.monotonic() < deadline, (
                f"{len(self.taken)} of {count} ticks\n{self._forks.log.read_text()[-3000:]}"
            )
            found = self._broker.brpop(["ticks"], timeout=1)
            if found is not None:
                headers = json.loads(found[1])["headers"]
                instant = datetime.fromisoformat(headers["finops_tick"])
                (self.taken if take(headers["periodic_task_name"], instant) else self.refused).append(instant)

    def stop(self) -> None:
        for pid in self._alive.values():
            self._forks.kill(pid)


_LEADER = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND application_name LIKE 'beat-%%'
"""
_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'beat-%%' AND query LIKE '%%pg_try_advisory_lock%%'
AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
"""


@pytest.fixture
def beats(forks: Forks, database: str) -> Iterator[Beats]:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as broker:
        broker.delete("ticks")
        beats = Beats(forks, database, broker)
        try:
            yield beats
        finally:
            beats.stop()


def _steps(instants: Sequence[datetime]) -> set[timedelta]:
    """Return how far the instants are apart, in the order in which they came."""
    return {later - earlier for earlier, later in pairwise(instants)}


@pytest.mark.worker_login
@pytest.mark.parametrize("fail_overs", [1, pytest.param(20, marks=pytest.mark.prove)])
def test_no_tick_is_lost_or_done_twice_when_the_leader_is_killed(beats: Beats, fail_overs: int) -> None:
    dice = random.Random(20261122)
    make_entry("test.tick", last=clock.now().replace(microsecond=0))
    beats.start()
    for _ in range(fail_overs):
        beats.start()
        wait_until(lambda: beats.leader() != "" and beats.waiting() == 1, what="one leads, one waits", seconds=60)
        beats.take_until(len(beats.taken) + 2)
        time.sleep(dice.random())
        beats.kill_the_leader()
    beats.take_until(len(beats.taken) + 3)
    assert _steps(beats.taken) == {timedelta(seconds=1)}
