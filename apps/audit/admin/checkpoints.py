"""Checkpoints: what was signed of each log, when, and whether the signature is ours."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.admin.logs import LOG_FILTER, log_chip
from apps.audit.models import AuditCheckpoint
from apps.audit.notes import Checkpoint, NoteRefused, VerifierKey, open_note
from apps.audit.selectors import public_keys
from apps.audit.types import PublicKey
from apps.core.admin import (
    NOTHING,
    Facts,
    Notice,
    Panel,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    TimeFilter,
    about_url,
    changelist_url,
    chip,
    column,
    exact,
    link,
    moment,
    number,
    one_of,
    record_url,
    tag,
    two_lines,
)

_NEIGHBOURS = 4


def _is_head() -> Q:
    heads = AuditCheckpoint.objects.order_by("tenant_id", "-size").distinct("tenant_id")
    return Q(pk__in=heads.values("pk"))


HEAD_FILTER = one_of("which", gettext_lazy("which"), {"heads": (gettext_lazy("The newest of each log"), _is_head)})


@dataclass(frozen=True, slots=True)
class Signature:
    """Which keys the installation has had, those of them that have signed a checkpoint, and what is `wrong` with it."""

    known: Sequence[PublicKey]
    signed: Sequence[PublicKey] = ()
    wrong: str = ""


def signature_of(checkpoint: AuditCheckpoint) -> Signature:
    """Verify the note of a checkpoint, and that it says what the row does."""
    known = public_keys(checkpoint.tenant_id)
    signed, texts = [], set()
    for key in known:
        try:
            texts.add(open_note(checkpoint.note, [VerifierKey(checkpoint.origin, key.verifier.public_key)]))
        except NoteRefused:
            continue  # another key's, unless nobody's
        signed.append(key)
    if not signed:
        return Signature(known, wrong=_("No key that is known has signed the note."))
    if texts != {Checkpoint(checkpoint.origin, checkpoint.size, bytes(checkpoint.root_hash)).text}:
        return Signature(known, wrong=_("The note says something else than the row."))
    return Signature(known, signed)


@admin.register(AuditCheckpoint)
class CheckpointAdmin(StaffModelAdmin):
    plural = gettext_lazy("checkpoints")
    list_is_live = True
    list_display = ("covered", "log", "root", "origin", "when")
    list_display_links = ("covered",)
    list_filter = (HEAD_FILTER, TenantFilter, TimeFilter, LOG_FILTER)
    search_fields = ("note__startswith",)
    search_ids = ("id", "tenant_id")
    search_help_text = gettext_lazy("Beginning of an origin, or the id of a tenant")
    empty_hint = gettext_lazy("A worker signs a log's first checkpoint as soon as it has an entry: is one running?")
    facts = ((gettext_lazy("Checkpoint"), ("origin", "signed_at", "id")),)

    @column(gettext_lazy("entries"))
    def covered(self, checkpoint: AuditCheckpoint) -> str:
        return number(checkpoint.size)

    @column(gettext_lazy("log"))
    def log(self, checkpoint: AuditCheckpoint) -> str:
        return log_chip(checkpoint)

    @column(gettext_lazy("root"))
    def root(self, checkpoint: AuditCheckpoint) -> str:
        return _short(checkpoint)

    @column(gettext_lazy("origin"))
    def origin(self, checkpoint: AuditCheckpoint) -> str:
        return checkpoint.origin

    @column(gettext_lazy("signed"))
    def when(self, checkpoint: AuditCheckpoint) -> str:
        return moment(checkpoint.signed_at)

    def headline(self, checkpoint: AuditCheckpoint) -> str:
        return _("%(size)s entries, signed") % {"size": number(checkpoint.size)}

    def subtitle(self, checkpoint: AuditCheckpoint) -> str:
        return checkpoint.origin

    def status(self, checkpoint: AuditCheckpoint) -> str:
        return self.log(checkpoint)

    def notice(self, checkpoint: AuditCheckpoint) -> Notice | None:
        wrong = self._signature(checkpoint).wrong
        remedy = _("Run manage.py verify, and compare the note with what the tenant and the witness have kept.")
        return Notice(_("The checkpoint does not verify"), wrong, remedy) if wrong else None

    def stats(self, checkpoint: AuditCheckpoint) -> Sequence[Stat]:
        before = AuditCheckpoint.objects.filter(tenant_id=checkpoint.tenant_id, size__lt=checkpoint.size)
        previous = before.order_by("-size").values_list("size", flat=True).first() or 0
        return (
            Stat(_("Entries covered"), number(checkpoint.size)),
            Stat(_("New since the one before"), number(checkpoint.size - previous)),
            Stat(_("Signed"), moment(checkpoint.signed_at)),
            _signature_stat(self._signature(checkpoint)),
        )

    def panels(self, request: HttpRequest, checkpoint: AuditCheckpoint) -> Sequence[Panel]:
        return [
            Source(_("The note, as anybody may check it"), checkpoint.note),
            Source(_("Root (SHA-256, RFC 9162)"), bytes(checkpoint.root_hash).hex()),
            _neighbours(checkpoint),
            _keys_facts(self._signature(checkpoint)),
        ]

    def _signature(self, checkpoint: AuditCheckpoint) -> Signature:
        """Return who has signed, which is asked for once a page."""
        if not hasattr(checkpoint, "signature"):
            checkpoint.signature = signature_of(checkpoint)  # type: ignore[attr-defined]  # this page's own object
        signature: Signature = checkpoint.signature  # type: ignore[attr-defined]
        return signature

    def related_links(self, checkpoint: AuditCheckpoint) -> Sequence[tuple[str, str]]:
        if checkpoint.tenant_id is None:
            return [(_("The installation's log"), changelist_url("audit.auditentry", log="installation"))]
        tenant = str(checkpoint.tenant_id)
        return [
            (_("The tenant's log"), changelist_url("audit.auditentry", tenant=tenant)),
            (_("All checkpoints of this log"), about_url("audit.auditcheckpoint", checkpoint, tenant)),
        ]


def _signature_stat(signature: Signature) -> Stat:
    if signature.wrong:
        return Stat(_("Signature"), _("does not verify"), tone="bad")
    names = ", ".join(key.key_id for key in signature.signed)
    return Stat(_("Signature"), _("verifies"), _("by key %(names)s") % {"names": names}, tone="ok")


def _short(checkpoint: AuditCheckpoint) -> str:
    root = bytes(checkpoint.root_hash).hex()
    return tag(f"{root[:16]}…", root)


def _neighbours(checkpoint: AuditCheckpoint) -> Table:
    of_log = AuditCheckpoint.objects.filter(tenant_id=checkpoint.tenant_id)
    newer = list(of_log.filter(size__gt=checkpoint.size).order_by("size")[:_NEIGHBOURS])
    older = list(of_log.filter(size__lte=checkpoint.size).order_by("-size")[: _NEIGHBOURS + 2])
    rows = [*newer[::-1], *older]
    shown = []
    for place, row in enumerate(rows):
        before = rows[place + 1].size if place + 1 < len(rows) else 0
        name = (
            number(row.size)
            if row.pk == checkpoint.pk
            else link(record_url("audit.auditcheckpoint", row.pk), number(row.size))
        )
        added = f"+{number(row.size - before)}" if before or row.pk == rows[-1].pk else NOTHING
        shown.append([name, added, _short(row), exact(row.signed_at)])
    headers = [_("entries"), _("new"), _("root"), _("signed")]
    rest = shown[:-1] if len(older) == _NEIGHBOURS + 2 else shown
    return Table(_("Before and after"), headers, rest, empty="", numeric=frozenset({0, 1}))


def _keys_facts(signature: Signature) -> Facts:
    items = [
        (
            two_lines(key.key_id, _("since %(day)s") % {"day": f"{key.since:%Y-%m-%d}"}),
            chip(_("replaced"), "idle") if key.until else chip(_("signs"), "ok"),
        )
        for key in signature.known
    ]
    return Facts(_("Keys of the installation"), items)
