"""Base models and the read-only switch."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models

from apps.core.errors import ValidationFailed, VersionConflict
from apps.core.ids import new_id
from apps.core.retention import Retention


class BaseModel(models.Model):
    """A row with a UUIDv7 key.

    `retention` is the model's retention class. `personal_fields` are the columns with personal data and
    `data_subject` says whose they are, so that they can be found for export and erasure.
    """

    retention: ClassVar[Retention]
    personal_fields: ClassVar[tuple[str, ...]] = ()
    data_subject: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True

    def require_valid_fields(self, *, exclude: Collection[str] = ()) -> None:
        """Run the fields' validators; nothing is queried.

        Raises:
            ValidationFailed: `errors` names each field.
        """
        try:
            self.clean_fields(exclude=exclude)
        except ValidationError as error:
            raise ValidationFailed(
                errors=[
                    {"field": field, "code": "invalid", "message": " ".join(messages)}
                    for field, messages in error.message_dict.items()
                ]
            ) from error


class TenantModel(BaseModel):
    """A row that belongs to one tenant, under forced row-level security.

    The pair (tenant_id, id) is unique so that composite foreign keys can refer to it: row-level security
    does not guard foreign keys.
    """

    tenant_id = models.UUIDField(editable=False)

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["tenant_id", "id"], name="%(app_label)s_%(class)s_tenant_id_id")]


class VersionedModel(models.Model):
    """A resource that clients see, with its version for optimistic locking."""

    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)

    class Meta:
        abstract = True

    def require_version(self, expected: int | None) -> None:
        """Refuse a change of another version than the one that its caller has seen; None: they did not say.

        Raises:
            VersionConflict: it has another version.
        """
        if expected is not None and self.version != expected:
            raise VersionConflict

    def save_next(self, *columns: str, now: datetime) -> None:
        """Store the columns named, as the next version."""
        self.version, self.updated_at = self.version + 1, now
        self.save(update_fields=[*columns, "version", "updated_at"])


class ReadOnlySwitch(BaseModel):
    """Switches writing off while the row exists: for one tenant, or without a tenant for the installation."""

    retention = Retention.CONFIGURATION

    tenant_id = models.UUIDField(null=True, blank=True, unique=True)
    reason = models.CharField(max_length=200)
    engaged_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                models.Value(1),
                condition=models.Q(tenant_id__isnull=True),
                name="core_readonlyswitch_one_installation_row",
            )
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id or 'installation'}: {self.reason}"
