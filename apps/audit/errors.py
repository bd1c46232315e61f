"""What the audit room refuses."""

from django.utils.translation import gettext_lazy as _

from apps.core.errors import DomainError


class NotInCheckpointYet(DomainError):
    """The entry is in the log, but no signed checkpoint covers it yet: ask again after `Retry-After`.

    Entries are numbered and covered a moment after their change is committed, normally within a second. A log without a
    checkpoint answers the same.
    """

    code = "not_in_checkpoint_yet"
    status = 503
    title = _("Not covered by a checkpoint yet")
