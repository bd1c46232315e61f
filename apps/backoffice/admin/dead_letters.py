"""What has happened since a job died: whether replaying it now would end otherwise."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.audit.models import AuditEntry
from apps.audit.opening import open_entries
from apps.core.admin import Facts, Panel, Table, chip, contributes_panels, exact, link, number, record_url, two_lines
from apps.core.admin.panels import Text
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.jobs.selectors import fate_since, successor_of

_CHANGES = 10


@contributes_panels(Job)
def panels_of_dead_job(_request: HttpRequest, job: Job) -> Sequence[Panel]:
    """Tell of a dead job how its kind has fared since, and what has changed of what its payload names."""
    if job.state != JobState.DEAD or job.finished_at is None:
        return []
    return [_fate(job), _changes(job)]


def _fate(job: Job) -> Facts:
    ended, successor = fate_since(job), successor_of(job)
    succeeded, died = ended[JobState.SUCCEEDED], ended[JobState.DEAD]
    if succeeded:
        verdict = chip(_("The kind succeeds again"), "ok")
    else:
        verdict = chip(_("Still failing"), "bad") if died else chip(_("Not tried since"), "idle")
    items: list[tuple[Text, Text]] = [
        (_("of this kind"), verdict),
        (_("succeeded since"), number(succeeded)),
        (_("died since"), number(died)),
        (_("died at"), exact(job.finished_at)),
    ]
    if job.run_release or settings.RELEASE:
        items.append((_("release"), _release(job)))
    if successor is not None:
        page = link(record_url("jobs.job", successor.pk), _("is queued already"))
        items.append((_("the same work"), page))
    return Facts(_("Would a replay succeed?"), items)


def _release(job: Job) -> Text:
    """Tell whether other code runs now than the code that it died under."""
    then, now = job.run_release or _("unknown"), settings.RELEASE or _("unknown")
    if then == now:
        return two_lines(now, _("the same as when it died"))
    return two_lines(chip(now, "info"), _("it died under %(release)s") % {"release": then})


def _changes(job: Job) -> Table:
    named = sorted(_ids_in(job.payload))
    entries = AuditEntry.objects.filter(tenant_id=job.tenant_id, target_id__in=named, at__gt=job.finished_at)
    rows = [
        [
            exact(opened.entry.at),
            link(record_url("audit.auditentry", opened.entry.pk), opened.entry.action),
            opened.label,
            ", ".join(sorted(opened.changes)),
        ]
        for opened in open_entries(entries.order_by("-at", "-id")[:_CHANGES])
    ]
    empty = _("Nothing of what the payload names has changed: a replay meets what this job met.")
    headers = [_("when"), _("what"), _("who"), _("changed")]
    return Table(_("Changed since it died"), headers, rows, empty=empty)


def _ids_in(value: Any) -> Iterator[str]:
    """Yield the ids that a payload names, at any depth."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _ids_in(item)
    elif isinstance(value, str):
        try:
            yield str(UUID(value))
        except ValueError:
            return
