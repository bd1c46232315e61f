"""Idempotency records: the first answer to each key, kept for replay."""

from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel
from apps.core.retention import Retention


class IdempotencyRecord(TenantModel):
    """A tenant's key and the answer that its request got.

    The row is written in the transaction of the request, so a committed row always has its answer (`status`).
    `body_expires_at` is set where the body holds a secret: it is encrypted, and removed at that time.
    """

    retention = Retention.EPHEMERAL
    personal_fields = ("body",)
    data_subject = "tenant_id"

    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    body_expires_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        db_table = "idempotency_record"
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "id"], name="idempotency_record_tenant_id_id"),
            models.UniqueConstraint(fields=["tenant_id", "key"], name="idempotency_record_tenant_key"),
        ]
        indexes = [
            models.Index(fields=["expires_at"], name="idempotency_record_expiry"),
            models.Index(
                fields=["body_expires_at"],
                condition=Q(body_expires_at__isnull=False, body__isnull=False),
                name="idempotency_record_body_expiry",
            ),
        ]

    def __str__(self) -> str:
        return self.key
