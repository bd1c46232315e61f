"""Endpoints of clients, what is queued for each, and what every attempt brought."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.core.db import TenantForeignKey
from apps.core.models import TenantModel, VersionedModel
from apps.core.retention import Retention
from apps.webhooks.enums import LOST_STATUSES, DeliveryStatus, EndpointStatus, RecoveryStatus, SecretKind, Signing

_PENDING = Q(status=DeliveryStatus.PENDING)


class Endpoint(TenantModel, VersionedModel):
    """A client's URL that events are posted to.

    Empty `event_types` mean all. The row's lock orders whatever changes its queue: fan-out, settling, retries. A
    deleted endpoint keeps its row, since its deliveries refer to it.
    """

    retention = Retention.BUSINESS

    url = models.CharField(_("URL"), max_length=2000)
    event_types = ArrayField(models.CharField(max_length=100), default=list, blank=True, verbose_name=_("event types"))
    description = models.CharField(_("description"), max_length=500, blank=True)
    # The names of the headers of its own; the values are sealed.
    header_names = ArrayField(models.CharField(max_length=64), default=list, blank=True, verbose_name=_("headers"))
    signing = models.CharField(_("signing"), max_length=10, choices=Signing.choices, default=Signing.SYMMETRIC)
    # As its client checks Ed25519 signatures with it: `whpk_` and base64. Empty where a secret signs.
    public_key = models.CharField(_("public key"), max_length=60, blank=True)
    status = models.CharField(
        _("status"), max_length=10, choices=EndpointStatus.choices, default=EndpointStatus.ENABLED
    )
    # A code, where the platform has disabled it: "gone" after a 410, "failing" after days. Empty where a person has.
    disabled_reason = models.CharField(_("disabled because"), max_length=80, blank=True)
    # The newest date of the API when it was made, unless another was asked for: payloads do not change under it.
    api_version = models.CharField(_("API version"), max_length=10)
    last_sequence = models.BigIntegerField(_("last sequence"), default=0, editable=False)
    last_delivery_id = models.UUIDField(_("last delivery"), null=True, editable=False)
    # What is kept of its queue begins after this sequence, and tells of events after that one of the tenant's.
    forgotten_up_to = models.BigIntegerField(_("deliveries forgotten up to"), default=0, editable=False)
    events_forgotten_up_to = models.BigIntegerField(_("events forgotten up to"), default=0, editable=False)
    # The first failure after which nothing has arrived. Kept while the platform has it disabled, for the replay.
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    # How often its owners were told of this failure; `noticed_at` stays until the incident is resolved.
    notices = models.PositiveSmallIntegerField(_("notices"), default=0, editable=False)
    noticed_at = models.DateTimeField(_("last notice"), null=True, blank=True, editable=False)
    # After it was given up as failing, what happens is kept for it until then, as discarded.
    held_until = models.DateTimeField(_("kept for it until"), null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        constraints = [
            *TenantModel.Meta.constraints,
            models.CheckConstraint(
                condition=Q(status__in=EndpointStatus.values), name="webhooks_endpoint_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(signing=Signing.SYMMETRIC, public_key="")
                | Q(signing=Signing.ASYMMETRIC, public_key__startswith="whpk_"),
                name="webhooks_endpoint_asymmetric_has_public_key",
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(status=EndpointStatus.DISABLED),
                name="webhooks_endpoint_deleted_is_disabled",
            ),
            models.CheckConstraint(
                condition=Q(api_version__regex=r"^\d{4}-\d{2}-\d{2}$"), name="webhooks_endpoint_api_version_is_a_date"
            ),
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="webhooks_endpoint_tenant"),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=Q(failing_since__isnull=False) | Q(noticed_at__isnull=False),
                name="webhooks_endpoint_watched",
            ),
        ]

    def __str__(self) -> str:
        return self.url


class EndpointSecret(TenantModel):
    """What an endpoint's requests need and nobody may read, encrypted and bound to the endpoint.

    A signing key: the current one, or the one before it in its grace. Or the values of its headers, as one JSON object.
    """

    retention = Retention.EPHEMERAL

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="secrets", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=10, choices=SecretKind.choices, default=SecretKind.SYMMETRIC)
    ciphertext = models.BinaryField()
    key_id = models.CharField(max_length=50, editable=False)
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook secret")
        verbose_name_plural = _("webhook secrets")
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "endpoint"],
                condition=Q(expires_at=None) & ~Q(kind=SecretKind.HEADERS),
                name="webhooks_endpointsecret_one_current",
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "endpoint"],
                condition=Q(kind=SecretKind.HEADERS),
                name="webhooks_endpointsecret_one_of_headers",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=SecretKind.values), name="webhooks_endpointsecret_kind_is_known"
            ),
            TenantForeignKey(
                field="endpoint", to="webhooks.Endpoint", name="webhooks_endpointsecret_endpoint", on_delete="CASCADE"
            ),
        ]
        indexes = [models.Index(fields=["endpoint"], name="webhooks_secret_of_endpoint")]

    def __str__(self) -> str:
        return f"secret of {self.endpoint_id}"

    @staticmethod
    def bound_to(tenant_id: UUID, endpoint_id: UUID, kind: str) -> str:
        """Return what the ciphertext is bound to."""
        return f"webhooks_endpointsecret:{tenant_id}:{endpoint_id}:{kind}"


class Delivery(TenantModel):
    """One event on its way to one endpoint: its id is the `webhook-id`, and the same bytes are sent at every attempt.

    Within an endpoint, the deliveries of one entity form a lane: only the first pending one of a lane is ever sent,
    however long it has to wait. The others have no `next_attempt_at` until their turn comes. `fence` grows with each
    claim, so that a sender who lost its lease settles nothing.
    """

    retention = Retention.OPERATIONAL
    personal_fields = ("body",)
    data_subject = "entity_id"

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="deliveries", db_constraint=False, db_index=False
    )
    event_id = models.UUIDField(_("event"))
    event_type = models.CharField(_("event type"), max_length=100)
    entity_id = models.UUIDField(_("entity"))
    sequence = models.BigIntegerField(_("sequence"))
    previous_id = models.UUIDField(_("delivery before"), null=True, blank=True)
    body = models.TextField(_("body"))
    status = models.CharField(
        _("status"), max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING
    )
    attempt_count = models.PositiveSmallIntegerField(
        _("attempts"), default=0, help_text=_("Since it was queued, or queued again.")
    )
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    fence = models.IntegerField(_("fencing token"), default=0)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "endpoint", "sequence"], name="webhooks_delivery_endpoint_sequence"
            ),
            models.UniqueConstraint(
                fields=["tenant_id", "event_id", "endpoint"], name="webhooks_delivery_once_per_event"
            ),
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="webhooks_delivery_status_is_known"
            ),
            models.CheckConstraint(
                condition=(_PENDING & Q(finished_at=None)) | (~_PENDING & Q(finished_at__isnull=False)),
                name="webhooks_delivery_finished_unless_pending",
            ),
            models.CheckConstraint(
                condition=_PENDING | Q(next_attempt_at=None, leased_until=None),
                name="webhooks_delivery_only_pending_is_due",
            ),
            TenantForeignKey(field="endpoint", to="webhooks.Endpoint", name="webhooks_delivery_endpoint"),
        ]
        indexes = [
            # What may be sent now; the sender walks from tenant to tenant, and from endpoint to endpoint, along it.
            models.Index(
                fields=["tenant_id", "endpoint", "next_attempt_at", "sequence"],
                condition=_PENDING & Q(next_attempt_at__isnull=False),
                name="webhooks_delivery_due",
            ),
            # Whether little is due, and whose; see services/leasing.py.
            models.Index(
                fields=["next_attempt_at"],
                condition=_PENDING & Q(next_attempt_at__isnull=False),
                name="webhooks_delivery_longest_due",
            ),
            models.Index(
                fields=["endpoint", "entity_id", "sequence"], condition=_PENDING, name="webhooks_delivery_lane"
            ),
            models.Index(F("tenant_id"), F("endpoint"), F("id").desc(), name="webhooks_delivery_of_endpoint"),
            models.Index(fields=["tenant_id", "event_type", "id"], name="webhooks_delivery_of_type"),
            models.Index(
                fields=["tenant_id", "status", "id"],
                condition=~Q(status=DeliveryStatus.SUCCEEDED),
                name="webhooks_delivery_unfinished",
            ),
            models.Index(
                fields=["tenant_id", "endpoint", "sequence"],
                condition=Q(status__in=LOST_STATUSES),
                name="webhooks_delivery_lost",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.sequence}"


class DeliveryAttempt(TenantModel):
    """What one attempt brought: append-only until it is forgotten with its delivery.

    `error` is a code, empty for a success.
    """

    retention = Retention.OPERATIONAL
    personal_fields = ("response_excerpt",)
    data_subject = "delivery_id"

    delivery = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, related_name="attempts", db_constraint=False, db_index=False
    )
    # Its delivery's, so that an endpoint's record is a range of one index.
    endpoint_id = models.UUIDField(_("endpoint"))
    at = models.DateTimeField(_("at"))
    status_code = models.PositiveSmallIntegerField(_("status code"), null=True, blank=True)
    duration_ms = models.PositiveIntegerField(_("duration in ms"))
    error = models.CharField(_("error"), max_length=80, blank=True)
    response_excerpt = models.CharField(_("response"), max_length=1100, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery attempts")
        ordering: ClassVar[list[str]] = ["id"]
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="delivery", to="webhooks.Delivery", name="webhooks_deliveryattempt_delivery"),
        ]
        indexes = [
            models.Index(fields=["delivery", "id"], name="webhooks_attempt_of_delivery"),
            models.Index(fields=["tenant_id", "endpoint_id", "at"], name="webhooks_attempt_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.status_code or self.error}"


class Recovery(TenantModel):
    """One sending again of what an endpoint missed: what was lost `until` it began, of what was made `since` a time.

    It goes on in batches, the oldest first; `total` is what there was to do. While it is at work, nothing of its
    endpoint's queue that stands behind what is queued again becomes due.
    """

    retention = Retention.OPERATIONAL

    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="recoveries", db_constraint=False, db_index=False
    )
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"))
    total = models.PositiveIntegerField(_("to send again"))
    queued_again = models.PositiveIntegerField(_("queued again"), default=0)
    queued_up_to = models.BigIntegerField(_("queued up to"), default=0)
    begun_at = models.DateTimeField(_("begun at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("webhook recovery")
        verbose_name_plural = _("webhook recoveries")
        ordering: ClassVar[list[str]] = ["-id"]
        constraints = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant_id", "endpoint"],
                condition=Q(finished_at=None),
                name="webhooks_recovery_one_at_work",
            ),
            TenantForeignKey(
                field="endpoint", to="webhooks.Endpoint", name="webhooks_recovery_endpoint", on_delete="CASCADE"
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "endpoint", "-id"], name="webhooks_recovery_of_endpoint")]

    def __str__(self) -> str:
        return f"{self.queued_again} of {self.total}"

    @property
    def status(self) -> str:
        """Whether it is still at work, as `RecoveryStatus` has it."""
        return RecoveryStatus.RUNNING if self.finished_at is None else RecoveryStatus.FINISHED
