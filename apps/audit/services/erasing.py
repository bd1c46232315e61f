"""Erasing what the logs say of a person: their key is destroyed, every leaf stays."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import subject_keys
from apps.audit.models import AuditSubjectKey
from apps.audit.services.recording import record
from apps.core.actor import Actor
from apps.core.errors import PermissionMissing, ValidationFailed
from apps.core.scope import require_whole_installation, staff_scope, write_scope

SUBJECT_ERASED = "audit.subject_erased"


def erase_subject(*, subject: UUID, reason: str, actor: Actor, now: datetime) -> bool:
    """Destroy a person's key in one log, that of the tenant acted upon or the installation's; False: there is none.

    A leaf in that log tells who did it, when and why, and of whose id. `reason` stays in the open. Other processes may
    seal under the key for `subject_keys.LIFE_SECONDS` more: what they do is lost from the start.

    Raises:
        PermissionMissing: the actor is no staff; or is limited to some tenants, and the log is the installation's.
        ValidationFailed: no reason is given.
        ReadOnly: see the class.
    """
    if actor.kind not in ("staff", "system"):
        raise PermissionMissing
    if not reason.strip():
        missing = {"field": "reason", "code": "required", "message": _("Say why: the audit log keeps it.")}
        raise ValidationFailed(errors=[missing])
    with staff_scope() if actor.tenant_id is None else write_scope(actor):
        if actor.tenant_id is None:
            require_whole_installation()
        live = AuditSubjectKey.objects.filter(tenant_id=actor.tenant_id, subject=subject, erased_at=None)
        key = live.select_for_update().first()
        if key is None:
            return False
        key.sealed_key, key.erased_at = None, now
        key.save(update_fields=["sealed_key", "erased_at"])
        # Whoever erases themselves is told of under a new key.
        subject_keys.drop(subject, tenant_id=actor.tenant_id)
        record(
            action=SUBJECT_ERASED,
            actor=actor,
            target_type="data_subject",
            target_id=subject,
            now=now,
            changes={"key": [key.id, None], "reason": [None, reason]},
        )
    return True


def erase_everywhere(*, subject: UUID, reason: str, actor: Actor, now: datetime) -> int:
    """Erase a person in every log that the actor reaches, all or none; return in how many.

    Raises:
        PermissionMissing, ValidationFailed, ReadOnly: see `erase_subject`.
    """
    with transaction.atomic():
        with staff_scope():
            found = AuditSubjectKey.objects.filter(subject=subject, erased_at=None).order_by("tenant_id")
            logs = list(found.values_list("tenant_id", flat=True))
        return sum(
            erase_subject(subject=subject, reason=reason, actor=replace(actor, tenant_id=log), now=now) for log in logs
        )
