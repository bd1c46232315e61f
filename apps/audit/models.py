"""The append-only audit log: one leaf a change, numbered per tenant."""

from django.db import models
from django.db.models import Func, Q, Value
from django.utils.translation import gettext_lazy as _

from apps.core.models import BaseModel
from apps.core.retention import Retention
from apps.core.sequencing import SequenceCounter

_ACTION = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$"


class AuditEntry(BaseModel):
    """Who changed what, written in the transaction of the change.

    An entry without a tenant belongs to the installation's own log, which no tenant sees. `sequence` is null
    until the sequencer has numbered the entry. `leaf_hash` commits to all but `sequence` (see `apps.audit.leaf`).
    `actor` and `changes` hold ids and what is nobody's own; what they say of a person stands in `personal`, sealed
    under keys of `AuditSubjectKey` (see `apps.audit.sealing`).
    """

    retention = Retention.EVIDENCE
    personal_fields = ("personal",)
    data_subject = "personal.*.subject"

    tenant_id = models.UUIDField(null=True, editable=False)
    action = models.CharField(max_length=100)
    actor = models.JSONField()
    # The acting user's or API key's id, out of `actor`, so that "what did they do" is an index range.
    actor_id = models.UUIDField(null=True)
    target_type = models.CharField(max_length=100)
    target_id = models.CharField(max_length=100)
    changes = models.JSONField()
    # {"actor": {"subject", "key", "members", "ciphertext", "digest"}, "changes": {the same}}, each if there is any.
    personal = models.JSONField(default=dict)
    request_id = models.CharField(max_length=128, blank=True)
    traceparent = models.CharField(max_length=55, blank=True)
    at = models.DateTimeField()
    schema_version = models.PositiveSmallIntegerField(default=2)
    leaf_hash = models.BinaryField(max_length=32)
    position = models.BigIntegerField(
        db_default=Func(Value("audit_entry_position"), function="nextval"), editable=False
    )
    sequence = models.BigIntegerField(null=True, editable=False)

    class Meta:
        db_table = "audit_entry"
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        constraints = [
            # Of those that have one, so that a new entry costs no place in it.
            models.UniqueConstraint(
                fields=["tenant_id", "sequence"],
                condition=Q(sequence__isnull=False),
                nulls_distinct=False,
                name="audit_entry_tenant_sequence",
            ),
            models.CheckConstraint(
                condition=Q(action__regex=_ACTION),
                name="audit_entry_action_form",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant_id", "position"], condition=Q(sequence=None), name="audit_entry_pending"),
            models.Index(fields=["tenant_id", "at", "id"], name="audit_entry_at"),
            # What staff trace a request by, in all tenants at once.
            models.Index(fields=["request_id", "id"], condition=~Q(request_id=""), name="audit_entry_request"),
            models.Index(fields=["tenant_id", "action", "at", "id"], name="audit_entry_action_at"),
            models.Index(fields=["tenant_id", "actor_id", "at", "id"], name="audit_entry_actor_at"),
            models.Index(fields=["tenant_id", "target_id", "at", "id"], name="audit_entry_target_at"),
            models.Index(fields=["tenant_id", "target_type", "at", "id"], name="audit_entry_target_type_at"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_type} {self.target_id}"


class AuditCounter(SequenceCounter):
    """The last sequence of a tenant's audit log, and how much of it the last checkpoint covers.

    What is covered stands here for the sequencer alone, which has the row at hand; the proof of it is the checkpoint.
    """

    checkpoint_size = models.BigIntegerField(default=0, db_default=0, editable=False)
    checkpoint_at = models.DateTimeField(null=True, editable=False)

    class Meta(SequenceCounter.Meta):
        db_table = "audit_counter"


class AuditTile(BaseModel):
    """256 neighbouring hashes of one level of a log's tree, stored once they are complete and never changed.

    Level 0 holds leaf hashes, level n the roots of the tiles of level n - 1. What is not in a tile yet is read from the
    entries, or from the roots of the tiles below: so nothing of a tree is ever updated.
    """

    retention = Retention.EVIDENCE

    tenant_id = models.UUIDField(null=True, editable=False)
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()
    root_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_tile"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "level", "index"], name="audit_tile_one_per_place", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.level}/{self.index}"


class AuditBatchChunk(BaseModel):
    """Up to 1,024 neighbouring rows of a batch that one leaf commits to: their ids, and what each hashes to.

    The ids are for finding a row and nothing more: no hash is over them but as the row's own bytes hold them. Every
    chunk of a batch is full but the last one, so that chunks are subtrees of the batch's tree.
    """

    retention = Retention.EVIDENCE

    tenant_id = models.UUIDField(editable=False)
    entry_id = models.UUIDField(editable=False)
    index = models.PositiveIntegerField()
    row_ids = models.BinaryField()
    row_hashes = models.BinaryField()
    root_hash = models.BinaryField(max_length=32)

    class Meta:
        db_table = "audit_batch_chunk"
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "entry_id", "index"], name="audit_batch_chunk_one_per_place")
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}/{self.index}"


class AuditCheckpoint(BaseModel):
    """A tree head that was signed and told: a log of so many leaves has this root. One a size; none is ever changed."""

    retention = Retention.EVIDENCE

    tenant_id = models.UUIDField(null=True, editable=False)
    size = models.BigIntegerField()
    root_hash = models.BinaryField(max_length=32)
    note = models.TextField()
    signed_at = models.DateTimeField()

    class Meta:
        db_table = "audit_checkpoint"
        verbose_name = _("checkpoint")
        verbose_name_plural = _("checkpoints")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "size"], name="audit_checkpoint_one_per_size", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.size}"

    @property
    def origin(self) -> str:
        """The name of the log as it was signed: the host in front may be another one now."""
        return self.note.partition("\n")[0]


class CheckpointKey(BaseModel):
    """The public half of a key that has signed checkpoints, kept for as long as these have to verify.

    `key_id` is its id in the ring. It is current until another one has signed first.
    """

    retention = Retention.EVIDENCE

    key_id = models.CharField(max_length=64)
    public_key = models.BinaryField(max_length=32, unique=True)
    first_used_at = models.DateTimeField()

    class Meta:
        db_table = "audit_checkpointkey"
        verbose_name = _("checkpoint key")
        verbose_name_plural = _("checkpoint keys")

    def __str__(self) -> str:
        return self.key_id


class AuditSubjectKey(BaseModel):
    """The key that one log seals under what it says of one person; destroyed, it is all erased at once.

    `subject` is the id of a user or an API key, or a day of visitors who were nobody yet. Whoever acts again after
    their key was destroyed gets another.
    """

    retention = Retention.EVIDENCE
    data_subject = "subject"

    tenant_id = models.UUIDField(null=True, editable=False)
    subject = models.UUIDField()
    sealed_key = models.BinaryField(null=True)
    created_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "audit_subject_key"
        verbose_name = _("data subject")
        verbose_name_plural = _("data subjects")
        permissions = [("erase_auditsubjectkey", _("Can erase what audit logs say of a person"))]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant_id", "subject"],
                condition=Q(erased_at=None),
                name="audit_subject_key_one_live",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(erased_at=None, sealed_key__isnull=False) | Q(erased_at__isnull=False, sealed_key=None),
                name="audit_subject_key_erased_is_gone",
            ),
        ]
        indexes = [models.Index(fields=["subject"], name="audit_subject_key_subject")]

    def __str__(self) -> str:
        return str(self.subject)
