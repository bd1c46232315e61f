"""The outbox: events written with the change that they tell of, numbered per tenant when they are relayed."""

from django.db import models
from django.db.models import Func, Q, Value
from django.utils.translation import gettext_lazy as _

from apps.core.models import TenantModel
from apps.core.retention import Retention
from apps.core.sequencing import SequenceCounter

_TYPE = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"


class OutboxEvent(TenantModel):
    """An event of one tenant. Clients see it once it is relayed: then it has its gapless `sequence`.

    Events of one entity are emitted under its row lock, so `position` orders them as they committed.
    """

    retention = Retention.EVIDENCE
    personal_fields = ("actor", "data")
    data_subject = "entity_id"

    type = models.CharField(max_length=100)
    schema_version = models.PositiveSmallIntegerField(default=1)
    entity_type = models.CharField(max_length=100)
    entity_id = models.UUIDField()
    data = models.JSONField()
    actor = models.JSONField()
    request_id = models.CharField(max_length=128, blank=True)
    traceparent = models.CharField(max_length=55, blank=True)
    occurred_at = models.DateTimeField()
    position = models.BigIntegerField(
        db_default=Func(Value("outbox_event_position"), function="nextval"), editable=False
    )
    sequence = models.BigIntegerField(null=True, editable=False)
    relayed_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        db_table = "outbox_event"
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "id"], name="outbox_event_tenant_id_id"),
            models.UniqueConstraint(fields=["tenant_id", "sequence"], name="outbox_event_tenant_sequence"),
            models.CheckConstraint(
                condition=Q(type__regex=_TYPE),
                name="outbox_event_type_form",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "position"], condition=Q(sequence=None), name="outbox_event_pending"),
            models.Index(fields=["tenant_id", "type", "sequence"], name="outbox_event_type"),
            # What staff trace a request by, in all tenants at once.
            models.Index(fields=["request_id", "id"], condition=~Q(request_id=""), name="outbox_event_request"),
            models.Index(fields=["tenant_id", "entity_id", "sequence"], name="outbox_event_entity"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.entity_id}"


class OutboxCounter(SequenceCounter):
    """The last sequence of a tenant's events."""

    class Meta(SequenceCounter.Meta):
        db_table = "outbox_counter"
