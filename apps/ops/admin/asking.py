"""Asking first: the page between a list of dead letters and their clearing says exactly what will be cleared."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from apps.core import clock
from apps.core.admin import (
    ListAction,
    ServiceAction,
    Table,
    changelist_url,
    chip,
    contribute_list_actions,
    number,
    record_url,
    staff_actor,
    tag,
)
from apps.core.admin.forms import LONGEST_REASON
from apps.core.admin.panels import Text
from apps.core.admin.times import SINCE, UNTIL, time_of
from apps.jobs.enums import JobState
from apps.jobs.models import Job
from apps.jobs.selectors import DeadGroup, DeadLetters, group_dead_letters
from apps.ops.enums import ClearingAction
from apps.ops.errors import NothingToClear
from apps.ops.services import request_clearing

_GROUPS = 20


def letters_of(query: QueryDict) -> DeadLetters | None:
    """Return which dead letters a list of jobs shows as it is filtered; None where it shows others, or a search's."""
    died_kind, _colon, code = query.get("died", "").partition(":")
    kind, state, tenant = (query.get(name, "") for name in ("kind", "state__exact", "tenant"))
    if query.get("q") or not (died_kind or state) or state not in ("", JobState.DEAD):
        return None
    if died_kind and kind and died_kind != kind:
        return None
    now = clock.now()
    try:
        tenant_id = UUID(tenant) if tenant else None
        since, before = (time_of(name, query.get(name, ""), now=now) for name in (SINCE, UNTIL))
    except ValueError:
        return None
    code_meant = code if died_kind else None
    return DeadLetters(tenant_id, died_kind or kind or None, query.get("queue") or None, code_meant, since, before)


_REPLAY = ServiceAction(
    name="replay",
    label=gettext_lazy("Replay all"),
    icon="replay",
    confirm=gettext_lazy("Each is queued again with all its attempts, due at once, and leaves its entry in the log."),
)
_DISCARD = ServiceAction(
    name="discard",
    label=gettext_lazy("Discard all"),
    icon="delete_sweep",
    confirm=gettext_lazy("The work will not be done. The rows stay, and can still be replayed one by one."),
    needs_reason=True,
    danger=True,
)


def _replay_page(request: HttpRequest) -> HttpResponse:
    return _page(request, _REPLAY, ClearingAction.REPLAY)


def _discard_page(request: HttpRequest) -> HttpResponse:
    return _page(request, _DISCARD, ClearingAction.DISCARD)


def _page(request: HttpRequest, asked: ServiceAction, action: ClearingAction) -> HttpResponse:
    """Ask, and once that is confirmed, begin and show the clearing."""
    letters, now = letters_of(request.GET), clock.now()
    if letters is None:
        raise PermissionDenied
    reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
    back = f"{changelist_url('jobs.job')}?{request.GET.urlencode()}"
    if "confirmed" in request.POST and asked.accepts(reason):
        try:
            actor = staff_actor(request)
            clearing = request_clearing(action=action, letters=letters, reason=reason, actor=actor, now=now)
        except NothingToClear as refusal:
            messages.error(request, str(refusal.message))
            return HttpResponseRedirect(back)
        return HttpResponseRedirect(record_url("ops.clearing", clearing.pk))
    groups = group_dead_letters(letters, until=now)
    slugs = admin.site.tenant_slugs({group.tenant_id for group in groups[:_GROUPS]})  # type: ignore[attr-defined]
    context = {
        **admin.site.each_context(request),
        "title": asked.label,
        "opts": Job._meta,
        "action": asked,
        "objects": [],
        "consequences": _consequences(groups, described(letters, slugs.get(letters.tenant_id, ""))),
        "chosen": _groups_table(groups, slugs),
        "back": back,
        "reason_missing": "confirmed" in request.POST,
        "from_list": False,
    }
    return TemplateResponse(request, "core/confirm.html", context)


def _consequences(groups: Sequence[DeadGroup], what: str) -> list[Text]:
    total, tenants = sum(group.count for group in groups), len({group.tenant_id for group in groups})
    jobs = ngettext("%(jobs)s dead letter", "%(jobs)s dead letters", total) % {"jobs": number(total)}
    where = ngettext("%(count)s tenant", "%(count)s tenants", tenants) % {"count": number(tenants)}
    return [
        _("%(jobs)s of %(where)s: %(what)s, on every page of the list.") % {"jobs": jobs, "where": where, "what": what},
        _("A worker does it in the background, in batches; the next page shows how far it is, and can stop it."),
        _("What dies again meanwhile is left alone, and so is work that is queued again already."),
    ]


def _groups_table(groups: Sequence[DeadGroup], slugs: Mapping[UUID, str]) -> Table:
    rows: list[Sequence[Text]] = [
        [chip(slugs.get(group.tenant_id, "")), group.kind, tag(group.code), number(group.count)]
        for group in groups[:_GROUPS]
    ]
    if len(groups) > _GROUPS:
        rest = groups[_GROUPS:]
        more = ngettext("and %(count)s group more", "and %(count)s groups more", len(rest)) % {"count": len(rest)}
        rows.append([more, "", "", number(sum(group.count for group in rest))])
    headers = [_("tenant"), _("kind"), _("died of"), _("dead letters")]
    return Table(_("Which they are"), headers, rows, "", numeric=frozenset({3}))


def described(letters: DeadLetters, tenant: str = "") -> str:
    """Return which dead letters are meant, as people say it."""
    parts = [
        _("kind %(name)s") % {"name": letters.kind} if letters.kind else "",
        _("died of %(name)s") % {"name": letters.code or _("nothing known")} if letters.code is not None else "",
        _("queue %(name)s") % {"name": letters.queue} if letters.queue else "",
        _("tenant %(name)s") % {"name": tenant or letters.tenant_id} if letters.tenant_id else "",
        _("enqueued from %(time)s UTC on") % {"time": _minute(letters.enqueued_since)}
        if letters.enqueued_since
        else "",
        _("enqueued before %(time)s UTC") % {"time": _minute(letters.enqueued_before)}
        if letters.enqueued_before
        else "",
    ]
    return ", ".join(part for part in parts if part) or _("every kind, queue and tenant")


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


contribute_list_actions(
    Job,
    ListAction(
        name="replay",
        label=gettext_lazy("Replay all"),
        icon="replay",
        page=_replay_page,
        available=lambda query: letters_of(query) is not None,
    ),
    ListAction(
        name="discard",
        label=gettext_lazy("Discard all"),
        icon="delete_sweep",
        page=_discard_page,
        available=lambda query: letters_of(query) is not None,
        danger=True,
    ),
)
