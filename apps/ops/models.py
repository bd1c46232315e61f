"""Runs of the verification: when, of what, and what each check found. Clearings of dead letters: how far they are."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.models import BaseModel
from apps.core.retention import Retention
from apps.ops.enums import (
    OPEN_CLEARINGS,
    OPEN_STATES,
    ClearingAction,
    ClearingState,
    RunState,
    Trigger,
)


class VerificationRun(BaseModel):
    """One verification of the whole installation; there is one at a time.

    `checks` holds each check's name, title, sentence, verdict (empty until it has one), what it looked at, its time and
    its findings, of which `apps.core.verification.KEPT_FINDINGS` are kept. A worker holds the run until `held_until`,
    for one check; `attempts` counts how often the check that is due was begun.
    """

    retention = Retention.EVIDENCE
    personal_fields = ("requested_by",)
    data_subject = "requested_by"

    trigger = models.CharField(_("began by"), max_length=10, choices=Trigger.choices)
    state = models.CharField(_("state"), max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    requested_by = models.JSONField(_("requested by"), default=dict)
    requested_at = models.DateTimeField(_("requested at"))
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    held_until = models.DateTimeField(_("held until"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    tenants = models.PositiveIntegerField(_("tenants"), default=0)
    looked_at = models.PositiveBigIntegerField(_("looked at"), default=0)
    found = models.PositiveIntegerField(_("findings"), default=0)
    checks = models.JSONField(_("checks"), default=list)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                models.Value(1), condition=Q(state__in=OPEN_STATES), name="ops_verificationrun_one_at_a_time"
            ),
            models.CheckConstraint(condition=Q(state__in=RunState.values), name="ops_verificationrun_state_is_known"),
            models.CheckConstraint(
                condition=Q(trigger__in=Trigger.values), name="ops_verificationrun_trigger_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M}"


class Clearing(BaseModel):
    """One replay, or discarding, of all dead letters that somebody means, done batch by batch by the workers.

    `meant` is an `apps.jobs.selectors.DeadLetters` as JSON, `tenants` the ids of those that the staff user is limited
    to, null for all. What died after `requested_at` is not meant. Dead letters are taken in order of their ids; `after`
    is the last that was. `refused` holds how many were left as they are, by what they were refused with.
    """

    retention = Retention.OPERATIONAL
    personal_fields = ("requested_by",)
    data_subject = "requested_by"

    action = models.CharField(_("what is done"), max_length=10, choices=ClearingAction.choices)
    state = models.CharField(_("state"), max_length=10, choices=ClearingState.choices, default=ClearingState.QUEUED)
    meant = models.JSONField(_("dead letters"), default=dict)
    tenants = models.JSONField(_("tenants"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    requested_by = models.JSONField(_("requested by"), default=dict)
    staff_id = models.UUIDField(_("staff user"), null=True)
    requested_at = models.DateTimeField(_("requested at"))
    worked_at = models.DateTimeField(_("last batch at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    after = models.UUIDField(_("last dead letter"), null=True)
    total = models.PositiveIntegerField(_("dead letters in all"))
    cleared = models.PositiveIntegerField(_("done"), default=0)
    refused = models.JSONField(_("refused"), default=dict)

    class Meta:
        verbose_name = _("clearing")
        verbose_name_plural = _("clearings")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(action__in=ClearingAction.values), name="ops_clearing_action_is_known"),
            models.CheckConstraint(condition=Q(state__in=ClearingState.values), name="ops_clearing_state_is_known"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["worked_at"], condition=Q(state__in=OPEN_CLEARINGS), name="ops_clearing_open")
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def left_alone(self) -> int:
        """Return how many dead letters were refused."""
        return sum(self.refused.values())
