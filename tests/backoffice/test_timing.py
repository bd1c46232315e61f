"""Staff change when tasks run and how much of a queue runs at once; what cannot be is said on the form."""

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.audit.models import AuditEntry
from apps.core.scope import staff_scope
from apps.jobs.models import Queue
from apps.jobs.services import ensure_queues
from tests.backoffice.test_actions import press, read
from tests.backoffice.test_pages import get

TASK, QUEUE = "django_celery_beat.periodictask", "jobs.queue"


@pytest.fixture
def task(database: str) -> PeriodicTask:
    every = IntervalSchedule.objects.create(every=2, period="seconds")
    return PeriodicTask.objects.create(name="jobs.sweep", task="jobs.sweep", interval=every)


@pytest.fixture
def queue(database: str) -> Queue:
    ensure_queues(["sync"])
    return Queue.objects.get(name="sync")


def leaves(action: str) -> list[dict[str, object]]:
    with staff_scope():
        return list(AuditEntry.objects.filter(tenant_id=None, action=action).values_list("changes", flat=True))


def refusal(client, label: str, obj, name: str, **data: str) -> str:
    """Send a form that is refused; return the page that shows it again."""
    response = client.post(f"/admin/{label.replace('.', '/')}/{obj.pk}/do/{name}/", data)
    assert response.status_code == 200
    return response.content.decode()


def test_a_task_runs_more_rarely_or_by_a_crontab(staff_client, task):
    said = ["The schedule is changed; beat follows it within seconds."]
    assert press(staff_client, TASK, task, "timing", every="5", period="minutes", reason="quiet hours") == said
    assert str(read(PeriodicTask, task).schedule) == "<freq: 5.00 minutes>"
    assert press(staff_client, TASK, task, "timing", period="seconds", crontab="0 4 * * 1-5", reason="nightly") == said
    changed = read(PeriodicTask, task)
    assert (changed.interval, changed.crontab.hour, changed.crontab.day_of_week) == (None, "4", "1-5")
    assert [leaf["reason"] for leaf in leaves("schedule.changed")] == [[None, "quiet hours"], [None, "nightly"]]
    text = refusal(staff_client, TASK, task, "timing")
    assert 'value="0 4 * * 1-5"' in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"every": "5", "crontab": "0 4 * * *"}, "one of the two"),
        ({}, "one of the two"),
        ({"every": "0"}, "greater than or equal to 1"),
        ({"crontab": "0 4 *"}, "A crontab has five fields"),
        ({"crontab": "61 4 * * *"}, "61"),
        ({"crontab": "0 4 31 2 *"}, "never occurs"),
        ({"crontab": "0 4 * * 7"}, "Invalid end range: 7"),
        ({"every": "5", "reason": ""}, "Say why"),
    ],
)
def test_a_timing_that_cannot_be_is_refused(staff_client, task, given: dict[str, str], said: str):
    text = refusal(staff_client, TASK, task, "timing", **{"period": "seconds", "reason": "r", **given})
    assert said in text
    assert str(read(PeriodicTask, task).schedule) == "<freq: 2.00 seconds>"
    assert leaves("schedule.changed") == []


def test_a_queue_is_bounded_and_held_and_let_go(staff_client, queue):
    said = ["The bounds hold from now on; what runs goes on."]
    first = {"max_running": "4", "max_running_per_tenant": "2", "reason": "the bank throttles us"}
    assert press(staff_client, QUEUE, queue, "bounds", **first) == said
    assert press(staff_client, QUEUE, queue, "bounds", max_running="0", reason="the bank is down") == said
    changed = read(Queue, queue)
    assert (changed.max_running, changed.max_running_per_tenant) == (0, None)
    assert "The queue is held" in get(staff_client, f"/admin/jobs/queue/{queue.pk}/change/")
    assert leaves("queue.bounds_changed") == [
        {
            "name": ["sync", "sync"],
            "max_running": [None, 4],
            "max_running_per_tenant": [None, 2],
            "reason": [None, "the bank throttles us"],
        },
        {
            "name": ["sync", "sync"],
            "max_running": [4, 0],
            "max_running_per_tenant": [2, None],
            "reason": [None, "the bank is down"],
        },
    ]


def test_a_bound_below_nothing_is_refused(staff_client, queue):
    text = refusal(staff_client, QUEUE, queue, "bounds", max_running="-1", max_running_per_tenant="0", reason="r")
    assert text.count("Ensure this value is greater than or equal to") == 2
    assert (read(Queue, queue).max_running, leaves("queue.bounds_changed")) == (None, [])
