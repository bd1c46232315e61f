"""A staff user's own second factors: what they have, another authenticator, new recovery codes."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import segno
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django_otp import login as verify_session

from apps.core import clock
from apps.core.admin import moment, staff_actor
from apps.core.admin.proof import proved
from apps.core.errors import DomainError, NotFound
from apps.users import selectors
from apps.users import services as users
from apps.users.errors import PasskeysOff
from apps.users.models import Authenticator
from apps.users.passkeys import relying_party
from apps.users.recovery import COUNT
from apps.users.services.staff_sessions import session_id_of

PAGE = "admin:own_factors"


@proved(PAGE)
def page(request: HttpRequest) -> HttpResponse:
    """Show the user's factors."""
    factors = selectors.factors_of(_user_id(request))
    codes = selectors.find_recovery_codes(_user_id(request))
    rows = [(factor, moment(factor.created_at), moment(factor.last_used_at)) for factor in factors]
    context = {"rows": rows, "is_last": len(factors) == 1, "codes": codes, "of": COUNT}
    context["passkeys"] = standing(request)
    return _show(request, "backoffice/own_factors.html", _("My second factors"), **context)


@proved(PAGE)
def add(request: HttpRequest) -> HttpResponse:
    """Begin with another authenticator: show its QR code, which no later page does. POST only."""
    require_post(request)
    name = request.POST.get("name", "").strip()[:64] or _("Authenticator")
    try:
        with transaction.atomic():  # what is refused undoes itself alone: the page goes on in its scope
            device = users.begin_totp(user_id=_user_id(request), name=name, now=clock.now())
    except DomainError as refusal:
        return back(request, refusal)
    return _show_qr(request, device)


@proved(PAGE)
def confirm(request: HttpRequest, factor_id: UUID) -> HttpResponse:
    """Take the new authenticator into use once its code is right; the first one brings recovery codes. POST only."""
    require_post(request)
    device = selectors.find_waiting_authenticator(_user_id(request), factor_id)
    if device is None:
        return back(request, NotFound(_("This authenticator waits no more: begin again.")))
    try:
        enrolled = users.confirm_totp(factor_id=factor_id, otp=request.POST.get("otp", ""), **change_of(request))
    except DomainError as refusal:
        return _show_qr(request, device, refusal)
    messages.success(request, _("“%(name)s” counts from now on.") % {"name": device.name})
    if enrolled.recovery_codes is not None:
        return show_codes(request, enrolled.recovery_codes)
    return HttpResponseRedirect(reverse(PAGE))


@proved(PAGE)
def remove(request: HttpRequest, factor_id: UUID) -> HttpResponse:
    """Remove a factor that is not the last one. POST only."""
    require_post(request)
    try:
        with transaction.atomic():
            users.remove_factor(factor_id=factor_id, **change_of(request))
    except DomainError as refusal:
        return back(request, refusal)
    # Had this session been verified by the one that is gone, it would be over: its user has just proved themselves.
    verify_session(request, selectors.factors_of(_user_id(request))[0])
    messages.success(request, _("It is removed: its codes open nothing any more."))
    return HttpResponseRedirect(reverse(PAGE))


@proved(PAGE)
def renew_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them, once. POST only."""
    require_post(request)
    try:
        with transaction.atomic():
            codes = users.renew_recovery_codes(**change_of(request))
    except DomainError as refusal:
        return back(request, refusal)
    return show_codes(request, codes)


def standing(request: HttpRequest) -> dict[str, Any]:
    """Return what a page says of passkeys: `usable` on it, `why` there are none, or `elsewhere` the page with them."""
    try:
        origin = relying_party().origin
    except PasskeysOff as off:
        return {"usable": False, "why": str(off.message)}
    if urlsplit(origin).netloc != request.get_host():
        return {"usable": False, "elsewhere": f"{origin}{request.path}"}
    return {"usable": True}


def _show_qr(request: HttpRequest, device: Authenticator, refusal: DomainError | None = None) -> HttpResponse:
    picture = segno.make(device.config_url, error="m").svg_data_uri(scale=5, border=2, light="#fff")
    context = {"device": device, "picture": picture, "refusal": refusal}
    return _show(request, "backoffice/own_factors_add.html", _("Add an authenticator"), **context)


def show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Show recovery codes, which no later page does."""
    return _show(request, "backoffice/own_factors_codes.html", _("Your recovery codes"), codes=codes)


def _show(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})


def back(request: HttpRequest, refusal: DomainError) -> HttpResponse:
    """Lead back to the user's factors, and say there what was refused."""
    messages.error(request, str(refusal.message))
    return HttpResponseRedirect(reverse(PAGE))


def require_post(request: HttpRequest) -> None:
    """Refuse every other method."""
    if request.method != "POST":
        raise PermissionDenied


def _user_id(request: HttpRequest) -> UUID:
    assert isinstance(request.user.pk, UUID)
    return request.user.pk


def change_of(request: HttpRequest) -> dict[str, Any]:
    """Return what every change of a factor is told: whose, which session stays, who acts, when."""
    keep = session_id_of(request)
    return {"user_id": _user_id(request), "keep": keep, "actor": staff_actor(request), "now": clock.now()}
