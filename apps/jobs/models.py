"""Durable jobs: one row is one piece of work, whatever happens to the broker."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.models import BaseModel, TenantModel
from apps.core.retention import Retention
from apps.jobs.enums import ACTIVE_STATES, JobState
from apps.jobs.types import HARD_SECONDS, SOFT_SECONDS


class Queue(BaseModel):
    """A queue's bounds, which staff may change: how many of its jobs run at once, in all and of one tenant.

    None: as many as there are workers. 0: none, the queue is held.
    """

    retention = Retention.CONFIGURATION

    name = models.CharField(_("queue"), max_length=40, unique=True)
    max_running = models.PositiveIntegerField(_("at once"), null=True, blank=True)
    max_running_per_tenant = models.PositiveIntegerField(_("at once of one tenant"), null=True, blank=True)
    changed_at = models.DateTimeField(_("changed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name


class Job(TenantModel):
    """A piece of work of one tenant.

    `payload` holds ids and small parameters, never secrets. `attempts` counts leases, not failures, so that a
    job which kills its worker is counted too. `fence` grows with each lease; see `apps.jobs.types.Lease`.
    """

    retention = Retention.OPERATIONAL
    personal_fields = ("actor",)
    data_subject = "actor"

    kind = models.CharField(_("kind"), max_length=80)
    queue = models.CharField(_("queue"), max_length=40)
    priority = models.SmallIntegerField(_("priority"), default=0, help_text=_("Higher runs first."))
    payload = models.JSONField(_("payload"), default=dict)
    unique_key = models.CharField(_("unique key"), max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=JobState.choices, default=JobState.QUEUED)
    run_at = models.DateTimeField(_("due at"))

    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveIntegerField(_("attempts at most"))
    lease_seconds = models.PositiveIntegerField(_("lease in seconds"))
    soft_seconds = models.PositiveIntegerField(_("interrupted after seconds"), default=SOFT_SECONDS)
    hard_seconds = models.PositiveIntegerField(_("ended after seconds"), default=HARD_SECONDS)
    fence = models.BigIntegerField(_("fencing token"), default=0)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    leased_by = models.CharField(_("leased by"), max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(_("last heartbeat"), null=True, blank=True)

    last_error_code = models.CharField(_("last error"), max_length=80, blank=True)
    last_error_message = models.CharField(_("last error message"), max_length=500, blank=True)
    last_traceback = models.TextField(_("last traceback"), blank=True)

    actor = models.JSONField(_("actor"), default=dict)
    request_id = models.CharField(_("request id"), max_length=128, blank=True)
    traceparent = models.CharField(_("trace"), max_length=55, blank=True)
    # What FINOPS_RELEASE said where it was enqueued, and where it was last leased.
    release = models.CharField(_("enqueued under release"), max_length=40, blank=True, default="", db_default="")
    run_release = models.CharField(_("last run under release"), max_length=40, blank=True, default="", db_default="")

    created_at = models.DateTimeField(_("created at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True, help_text=_("Of the last attempt."))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "kind", "unique_key"],
                condition=~Q(unique_key="") & Q(state__in=ACTIVE_STATES),
                name="jobs_job_one_active_per_key",
            ),
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="jobs_job_state_is_known"),
            models.CheckConstraint(
                condition=Q(state=JobState.LEASED, leased_until__isnull=False)
                | (~Q(state=JobState.LEASED) & Q(leased_until__isnull=True)),
                name="jobs_job_leased_until_iff_leased",
            ),
        ]
        indexes = [
            models.Index(
                models.F("queue"),
                models.F("priority").desc(),
                models.F("tenant_id"),
                models.F("run_at"),
                models.F("id"),
                condition=Q(state=JobState.QUEUED),
                name="jobs_job_turn",
            ),
            models.Index(fields=["queue", "run_at"], condition=Q(state=JobState.QUEUED), name="jobs_job_due"),
            models.Index(fields=["leased_until"], condition=Q(state=JobState.LEASED), name="jobs_job_leased"),
            models.Index(fields=["-id"], condition=Q(state=JobState.DEAD), name="jobs_job_dead"),
            models.Index(
                fields=["finished_at", "kind"],
                condition=Q(finished_at__isnull=False),
                name="jobs_job_finished",
            ),
            models.Index(fields=["tenant_id", "-id"], name="jobs_job_of_tenant"),
            # What staff trace a request by, in all tenants at once.
            models.Index(fields=["request_id", "id"], condition=~Q(request_id=""), name="jobs_job_request"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
