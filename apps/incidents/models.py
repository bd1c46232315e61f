"""Incidents: what needs a person's eyes. The rows are their own record."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.core.models import TenantModel
from apps.core.retention import Retention
from apps.incidents.enums import STANDING_STATES, IncidentState, Severity


class Incident(TenantModel):
    """Something of one tenant that is wrong, once: repeats count up on the standing incident.

    `kind` and `key` say what is the same trouble: "connection.sync_failed" and the connection's id.
    """

    retention = Retention.OPERATIONAL
    personal_fields = ("opened_by", "acknowledged_by", "resolved_by")
    data_subject = "acknowledged_by"

    kind = models.CharField(_("kind"), max_length=80)
    key = models.CharField(_("key"), max_length=200)
    title = models.CharField(_("title"), max_length=200)
    severity = models.CharField(_("severity"), max_length=10, choices=Severity.choices)
    state = models.CharField(_("state"), max_length=12, choices=IncidentState.choices, default=IncidentState.OPEN)
    target_type = models.CharField(_("target type"), max_length=80)
    target_id = models.UUIDField(_("target"))
    detail = models.JSONField(_("detail"), default=dict)
    count = models.PositiveIntegerField(_("times seen"), default=1)
    first_seen_at = models.DateTimeField(_("first seen at"))
    last_seen_at = models.DateTimeField(_("last seen at"))

    opened_by = models.JSONField(_("opened by"), default=dict)
    acknowledged_by = models.JSONField(_("acknowledged by"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    resolved_by = models.JSONField(_("resolved by"), null=True, blank=True)
    resolved_at = models.DateTimeField(_("resolved at"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "kind", "key"],
                condition=Q(state__in=STANDING_STATES),
                name="incidents_incident_one_standing_per_key",
            ),
            models.CheckConstraint(
                condition=Q(state__in=IncidentState.values), name="incidents_incident_state_is_known"
            ),
            models.CheckConstraint(
                condition=Q(severity__in=Severity.values), name="incidents_incident_severity_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["-id"], condition=Q(state__in=STANDING_STATES), name="incidents_incident_standing"),
            models.Index(fields=["tenant_id", "-id"], name="incidents_incident_of_tenant"),
        ]

    def __str__(self) -> str:
        return self.title
