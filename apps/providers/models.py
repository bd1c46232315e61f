"""Connections to providers, the runs that synchronise them, and the rows that were refused."""

from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.db import TenantForeignKey
from apps.core.models import TenantModel, VersionedModel
from apps.core.retention import Retention
from apps.providers.enums import ConnectionStatus, HookState, SyncStatus, SyncTrigger

ACTIVE_RUN = (SyncStatus.QUEUED, SyncStatus.RUNNING)


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Connections, further narrowed by what callers ask for."""

    def live(self) -> Self:
        """Leave out the deleted ones."""
        return self.filter(deleted_at__isnull=True)


class Connection(TenantModel, VersionedModel):
    """A tenant's link to one enrolment at one provider.

    `version` counts changes that a client decides on (status, deletion), not the progress of syncs, so that an
    `If-Match` is not lost to the clock. `external_id` is the provider's name for the enrolment; the credentials
    themselves are in `Credentials`.
    """

    retention = Retention.BUSINESS

    provider = models.CharField(_("provider"), max_length=50)
    label = models.CharField(_("label"), max_length=100, blank=True)
    status = models.CharField(
        _("status"), max_length=20, choices=ConnectionStatus.choices, default=ConnectionStatus.ACTIVE
    )
    status_code = models.CharField(_("reason"), max_length=100, blank=True)
    status_message = models.CharField(_("what to do"), max_length=500, blank=True)
    external_id = models.CharField(_("enrolment"), max_length=200, blank=True)
    last_synced_at = models.DateTimeField(_("last synced"), null=True, blank=True)
    next_sync_at = models.DateTimeField(_("next sync"), null=True, blank=True)
    consecutive_failures = models.PositiveIntegerField(_("consecutive failures"), default=0)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta(TenantModel.Meta):
        verbose_name = _("connection")
        verbose_name_plural = _("connections")
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="tenant_id", to="tenants.Tenant", name="providers_connection_tenant"),
        ]
        indexes = [
            models.Index(
                fields=["next_sync_at"], condition=models.Q(deleted_at__isnull=True), name="providers_connection_due"
            )
        ]

    def __str__(self) -> str:
        return self.label or f"{self.provider} {self.id}"

    @property
    def is_disabled(self) -> bool:
        """Whether it can never be synchronised again."""
        return self.status == ConnectionStatus.DISABLED


class Credentials(TenantModel):
    """A connection's credentials, encrypted and bound to its row; destroyed with the connection.

    A table of its own, so that the roles that look at connections need no privilege on the ciphertext.
    """

    retention = Retention.BUSINESS

    connection = models.OneToOneField(
        Connection, on_delete=models.CASCADE, related_name="credentials", db_constraint=False
    )
    ciphertext = models.BinaryField(editable=False)
    key_id = models.CharField(max_length=50, editable=False)
    created_at = models.DateTimeField(editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("credentials")
        verbose_name_plural = _("credentials")
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(
                field="connection",
                to="providers.Connection",
                name="providers_credentials_connection",
                on_delete="CASCADE",
            ),
        ]

    def __str__(self) -> str:
        return f"credentials of {self.connection_id}"

    @staticmethod
    def bound_to(tenant_id: UUID, connection_id: UUID) -> str:
        """Return what the ciphertext is bound to."""
        return f"providers_credentials:{tenant_id}:{connection_id}"


class SyncRun(TenantModel):
    """One synchronisation of a connection, through all attempts of its job. At most one is active per connection."""

    retention = Retention.OPERATIONAL

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="runs", db_constraint=False, db_index=False
    )
    status = models.CharField(_("status"), max_length=20, choices=SyncStatus.choices, default=SyncStatus.QUEUED)
    trigger = models.CharField(_("trigger"), max_length=20, choices=SyncTrigger.choices)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    modified = models.PositiveIntegerField(_("modified"), default=0)
    removed = models.PositiveIntegerField(_("removed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    quarantined = models.PositiveIntegerField(_("quarantined"), default=0)
    error = models.JSONField(_("error"), null=True, blank=True)
    stages = models.JSONField(_("stages"), default=dict, blank=True)
    job_id = models.UUIDField(_("job"))
    created_at = models.DateTimeField(_("requested"), editable=False)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("sync run")
        verbose_name_plural = _("sync runs")
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="connection", to="providers.Connection", name="providers_syncrun_connection"),
            models.UniqueConstraint(
                fields=["tenant_id", "connection"],
                condition=models.Q(status__in=["queued", "running"]),
                name="providers_syncrun_one_active",
            ),
        ]
        indexes = [models.Index(fields=["tenant_id", "connection", "-id"], name="providers_syncrun_history")]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.status}"

    @property
    def is_active(self) -> bool:
        """Whether it still waits or works."""
        return self.status in ACTIVE_RUN


class QuarantinedRow(TenantModel):
    """A provider's row that did not map to ours. Seen again, it counts up; it stays until retention takes it.

    Open until a sync maps the same row: `resolved_at`. Refused again after that, it is open again.
    """

    retention = Retention.OPERATIONAL
    personal_fields: ClassVar[tuple[str, ...]] = ("excerpt",)
    data_subject: ClassVar[str] = "account holder"

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="quarantined_rows", db_constraint=False, db_index=False
    )
    run = models.ForeignKey(
        SyncRun, on_delete=models.PROTECT, related_name="quarantined_rows", db_constraint=False, null=True
    )
    entity = models.CharField(_("entity"), max_length=20)
    row_key = models.CharField(_("row"), max_length=200)
    reason = models.CharField(_("reason"), max_length=500)
    excerpt = models.JSONField(_("excerpt"), default=dict)
    occurrences = models.PositiveIntegerField(_("times seen"), default=1)
    first_seen_at = models.DateTimeField(_("first seen"), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), editable=False)
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True, editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("quarantined row")
        verbose_name_plural = _("quarantined rows")
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="connection", to="providers.Connection", name="providers_quarantinedrow_connection"),
            TenantForeignKey(field="run", to="providers.SyncRun", name="providers_quarantinedrow_run"),
            models.UniqueConstraint(
                fields=["tenant_id", "connection", "entity", "row_key"], name="providers_quarantinedrow_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.entity} {self.row_key}: {self.reason}"


class InboundHook(TenantModel):
    """A webhook that a provider has proved to have sent: what came, byte for byte, and what has become of it.

    One row for each of the provider's event ids and connection. Of the headers only those that tell something stay.
    """

    retention = Retention.OPERATIONAL
    personal_fields: ClassVar[tuple[str, ...]] = ("body",)
    data_subject: ClassVar[str] = "account holder"

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="hooks", db_constraint=False, db_index=False
    )
    event_id = models.CharField(_("event"), max_length=200)
    event_type = models.CharField(_("type"), max_length=100, blank=True)
    headers = models.JSONField(_("headers"), default=dict)
    body = models.BinaryField()
    state = models.CharField(_("state"), max_length=20, choices=HookState.choices, default=HookState.RECEIVED)
    outcome = models.CharField(_("outcome"), max_length=100, blank=True)
    replays = models.PositiveIntegerField(_("times replayed"), default=0)
    received_at = models.DateTimeField(_("received"), editable=False)
    processed_at = models.DateTimeField(_("processed"), null=True, blank=True)

    class Meta(TenantModel.Meta):
        verbose_name = _("inbound webhook")
        verbose_name_plural = _("inbound webhooks")
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="connection", to="providers.Connection", name="providers_inboundhook_connection"),
            models.UniqueConstraint(fields=["tenant_id", "connection", "event_id"], name="providers_inboundhook_once"),
        ]
        indexes = [models.Index(fields=["received_at"], name="providers_inboundhook_received")]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"


class RefusedHook(TenantModel):
    """What came to a connection's hook without being proved: how often, for one reason, and a piece of the last.

    One row for each connection and reason, however much strangers send.
    """

    retention = Retention.OPERATIONAL
    personal_fields: ClassVar[tuple[str, ...]] = ("sent_from", "excerpt")
    data_subject: ClassVar[str] = "whoever sent it"

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="refused_hooks", db_constraint=False, db_index=False
    )
    reason = models.CharField(_("reason"), max_length=50)
    occurrences = models.PositiveBigIntegerField(_("times seen"), default=1)
    sent_from = models.GenericIPAddressField(_("last address"), null=True, blank=True)
    excerpt = models.BinaryField()
    first_seen_at = models.DateTimeField(_("first seen"), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), editable=False)

    class Meta(TenantModel.Meta):
        verbose_name = _("refused webhook")
        verbose_name_plural = _("refused webhooks")
        constraints = [
            *TenantModel.Meta.constraints,
            TenantForeignKey(field="connection", to="providers.Connection", name="providers_refusedhook_connection"),
            models.UniqueConstraint(fields=["tenant_id", "connection", "reason"], name="providers_refusedhook_once"),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.reason}"
