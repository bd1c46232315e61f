"""The Celery app: carries hints from commits to workers, and runs what beat schedules.

`celery -A finops worker` and `celery -A finops beat` find it here; web processes import it for the wake hook.
"""

import logging
import logging.config
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import billiard.pool
from celery import Celery, signals
from celery.concurrency.thread import TaskPool as ThreadPool
from django.conf import settings

from apps.core import wake
from apps.jobs import limits, shutdown
from finops.wakes import Waker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "finops.settings.embedded")

logger = logging.getLogger(__name__)

DEFAULT_QUEUE = "default"
# A hint that waits longer than this is dropped, since the sweep has sent newer ones. Generous, because the
# worker's clock decides: machines further apart than this would drop every hint.
HINT_SECONDS = 60
# How often, every tenth of a second, a child that ends looks whether its results were read.
RESULT_LOOKS = 10
# Topics other than "jobs:<queue>": the tasks that they wake, and their queues.
TASKS = {
    "outbox": ("outbox.relay", settings.LOG_QUEUE),
    "audit": ("audit.sequence", settings.LOG_QUEUE),
    "verification": ("ops.verify", DEFAULT_QUEUE),
    "dead_letters": ("ops.clear_dead_letters", DEFAULT_QUEUE),
    "password_resets": ("tenants.post_password_resets", DEFAULT_QUEUE),
    "webhooks": ("webhooks.deliver", "webhooks"),
}

app = Celery("finops", task_cls="finops.ticks:TickedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def send_hint(topic: str) -> None:
    """Send the task that a topic wakes, without retry.

    No exchange is named, so the message goes to the queue's list itself: a wiped Valkey has lost its bindings,
    and a named exchange would then drop messages without an error.
    """
    room, _, queue = topic.partition(":")
    name, arguments = "jobs.drain", [queue]
    if room != "jobs":
        (name, queue), arguments = TASKS[topic], []
    app.send_task(name, arguments, queue=queue, retry=False, expires=HINT_SECONDS, ignore_result=True)


waker = Waker(send_hint)
wake.install(waker.request)


@contextmanager
def _or_exit() -> Iterator[None]:
    """End the process when its preparation fails: Celery logs what a receiver raises, and would go on."""
    try:
        yield
    except Exception as error:
        logger.exception("boot.failed")
        raise SystemExit(1) from error


@signals.setup_logging.connect
def _use_our_logging(**_signal: Any) -> None:
    """Keep Celery from configuring logging, and quiet what it says for every tick."""
    logging.config.dictConfig(settings.LOGGING)
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat", "django_celery_beat.schedulers"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # On quorum queues they warn of each message for later; there is room for them (CELERY_WORKER_PREFETCH_MULTIPLIER).
    for name in ("celery.app.base", "kombu.transport.native_delayed_delivery"):
        logging.getLogger(name).setLevel(logging.ERROR)


@signals.worker_init.connect
def _prepare_worker(sender: Any, **_signal: Any) -> None:
    """Check settings and login before any child is forked, without a pool: its threads would not survive the fork."""
    from apps.jobs import registry
    from finops.boot import refuse_unsafe_start
    from finops.wiring.dead_jobs import open_incident_for_dead_job

    with _or_exit():
        settings.DATABASES["default"]["OPTIONS"].pop("pool", None)
        refuse_unsafe_start(signs=settings.LOG_QUEUE in sender.app.amqp.queues.consume_from)
        registry.on_every_death(open_incident_for_dead_job)


@signals.worker_process_init.connect
def _let_jobs_be_ended(**_signal: Any) -> None:
    """Let time limits interrupt and end the children of a prefork worker, and these end with it."""
    limits.run_alone()
    # What tasks return is nobody's, so a child that ends need not wait for the parent to have read it. A worker that is
    # stopped while it hands over a hint forgets it and never does (celery 5.7: `AsynPool.flush` as the consumer stops),
    # and the wait of half a minute would be longer than what a supervisor grants.
    billiard.pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = RESULT_LOOKS


@signals.worker_ready.connect
def _let_the_worker_be_ended(sender: Any, **_signal: Any) -> None:
    """Let time limits end a worker with a pool of threads."""
    if isinstance(sender.pool, ThreadPool):
        limits.run_beside_others()


@signals.worker_ready.connect
def _serve_metrics(**_signal: Any) -> None:
    """Serve what the children count, where no web process shares their folder: see docs/operations.md."""
    from prometheus_client import start_http_server

    from finops.metrics import counted

    if settings.METRICS_PORT:
        start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, registry=counted())


@signals.worker_shutting_down.connect
def _stop_leasing(**_signal: Any) -> None:
    """On SIGTERM the running jobs finish and no other is leased.

    SIGTERM is for the worker's main process alone: a child that gets it dies, and its job waits for its lease to
    expire. systemd therefore needs KillMode=mixed.
    """
    shutdown.begin()


@signals.beat_init.connect
def _prepare_beat(**_signal: Any) -> None:
    from finops.boot import refuse_unsafe_start
    from finops.schedule import ensure_schedule

    with _or_exit():
        refuse_unsafe_start()
        ensure_schedule()
