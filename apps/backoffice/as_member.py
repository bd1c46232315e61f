"""A tenant as one of its members sees it: pages over the API's own answers, for staff who look as that member."""

from http import HTTPStatus
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.backoffice.sections import OUT_OF_REACH, SECTIONS, Section
from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import NOTHING, Table, changelist_url, pretty, record_url, short_id, staff_actor
from apps.core.admin.panels import Facts, Text
from apps.core.decisions import decide
from apps.core.errors import DomainError
from apps.tenants.looking import Answer, ask, impersonation_of
from apps.tenants.services import end_impersonation, issue_impersonation_token
from apps.tenants.types import Principal

PERMISSION = "tenants.impersonate_membership"
_ROWS = "25"


def overview(request: HttpRequest) -> HttpResponse:
    """Show who looks as whom, and what there is to see."""
    principal = _principal(request)
    return _show(request, "backoffice/as_member.html", _("As the member sees it")) if principal else _nobody(request)


def token(request: HttpRequest) -> HttpResponse:
    """Issue a bearer token and show it, once. POST only."""
    principal = _principal(request, only="POST")
    if principal is None or principal.impersonation is None:
        return _nobody(request)
    try:
        issued = issue_impersonation_token(
            impersonation_id=principal.impersonation.id, actor=_actor(request, principal), now=clock.now()
        )
    except DomainError as error:
        messages.error(request, str(error.message))
        return HttpResponseRedirect(reverse("admin:as_member"))
    return _show(request, "backoffice/as_member.html", _("As the member sees it"), token=issued)


def end(request: HttpRequest) -> HttpResponse:
    """End it. POST only; whoever has begun it may, whatever permissions are left to them."""
    if request.method != "POST":
        raise PermissionDenied
    principal = impersonation_of(request)
    if principal is not None and principal.impersonation is not None:
        actor = _actor(request, principal)
        end_impersonation(impersonation_id=principal.impersonation.id, actor=actor, now=clock.now())
        messages.success(request, _("You look as yourself again."))
        return HttpResponseRedirect(record_url("tenants.impersonation", principal.impersonation.id))
    return _nobody(request)


def listing(request: HttpRequest, section: str) -> HttpResponse:
    """Show one of the API's lists."""
    principal, shown = _principal(request), _section(section)
    if principal is None:
        return _nobody(request)
    query = QueryDict(mutable=True)
    query.update({name: request.GET[name] for name in ("cursor", "search", "account") if request.GET.get(name)})
    search = query.get("search", "")
    query["limit"] = _ROWS
    answer = ask(request, principal, shown.path, query)
    table, next_url = None, ""
    if answer.is_good:
        rows = [[cell(row) for _title, cell in shown.columns] for row in answer.data["data"]]
        headers = [title for title, _cell in shown.columns]
        table = Table(shown.title, headers, rows, empty=_("Nothing, for this member."), numeric=shown.numeric)
        next_url = _next_url(request, answer.data["next_cursor"])
    return _show(
        request,
        "backoffice/as_member_list.html",
        shown.title,
        section=shown,
        answer=answer,
        table=table,
        next_url=next_url,
        search=search,
    )


def one(request: HttpRequest, section: str, key: Any) -> HttpResponse:
    """Show one thing of a list, as the API tells of it."""
    principal, shown = _principal(request), _section(section)
    if principal is None:
        return _nobody(request)
    if not shown.has_pages:
        raise Http404
    answer = ask(request, principal, f"{shown.path}/{key}", QueryDict())
    facts = Facts(
        _("What the API answers"), [(name.replace("_", " "), _told(value)) for name, value in answer.data.items()]
    )
    context = {"section": shown, "answer": answer, "facts": facts, "related": _related(shown, key)}
    return _show(request, "backoffice/as_member_one.html", shown.title, **context)


def _related(section: Section, key: Any) -> list[tuple[Text, str]]:
    """Return what the member would look at next."""
    if section.path != "accounts":
        return []
    names = ("transactions", "positions", "holdings")
    return [(SECTIONS[name].title, f"{reverse('admin:as_member_list', args=[name])}?account={key}") for name in names]


def _told(value: Any) -> Text:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, dict):
        return ", ".join(f"{name} {item if item is not None else '–'}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) if all(isinstance(item, str) for item in value) else pretty(value)
    return short_id(value) if _looks_like_id(value) else str(value)


def _looks_like_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 36 and value.count("-") == 4


def _next_url(request: HttpRequest, cursor: str | None) -> str:
    if not cursor:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return f"?{query.urlencode()}"


def _section(name: str) -> Section:
    if name not in SECTIONS:
        raise Http404
    return SECTIONS[name]


def _principal(request: HttpRequest, *, only: str = "GET") -> Principal | None:
    """Return through whom the staff user looks; None when nothing is active (any more)."""
    if request.method != only or not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    return impersonation_of(request)


def _nobody(request: HttpRequest) -> HttpResponse:
    messages.warning(request, _("You look as nobody: it was ended, or its time is over. Begin at a member's page."))
    return HttpResponseRedirect(changelist_url("tenants.membership"))


def _actor(request: HttpRequest, principal: Principal) -> Actor:
    return staff_actor(request).for_tenant(principal.tenant.id)


def _show(request: HttpRequest, template: str, title: Text, **context: Any) -> HttpResponse:
    principal = impersonation_of(request)
    assert principal is not None
    answer: Answer | None = context.get("answer")
    now = clock.now()
    shown = {
        **admin.site.each_context(request),
        "title": title,
        "sections": [(item, decide(principal, item.permission, now=now).failed is None) for item in SECTIONS.values()],
        "out_of_reach": OUT_OF_REACH,
        **context,
    }
    status = answer.status if answer is not None and not answer.is_good else HTTPStatus.OK
    return TemplateResponse(request, template, shown, status=status)
