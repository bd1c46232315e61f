"""Staff and their passkeys: added on “My second factors”, and taken in the place of password and code at sign-in."""

import json
from typing import Any
from uuid import UUID

from django.contrib import auth, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.backoffice.identity.own_factors import PAGE, back, change_of, require_post, show_codes
from apps.core import clock, context
from apps.core.admin.proof import proved
from apps.core.errors import DomainError
from apps.users import services as users
from apps.users.enums import PasskeyPurpose
from apps.users.errors import InvalidCredentials, PasskeyRefused
from apps.users.types import Origin

_BACKEND = "django.contrib.auth.backends.ModelBackend"


@proved(PAGE)
def add(request: HttpRequest) -> HttpResponse:
    """Answer what the browser is to make a passkey of. POST only."""
    require_post(request)
    change = change_of(request)
    try:
        with transaction.atomic():
            ceremony = users.begin_passkey(user_id=change["user_id"], session_id=change["keep"], now=change["now"])
    except DomainError as refusal:
        return _refused(refusal)
    return _options(ceremony)


@proved(PAGE)
def confirm(request: HttpRequest) -> HttpResponse:
    """Take a passkey into use that the browser has made; the first factor brings recovery codes. POST only."""
    require_post(request)
    name = request.POST.get("name", "").strip()[:64] or _("Passkey")
    try:
        answer = _answer(request)
        # What is spent stays spent: the challenge is taken before anything can be refused.
        enrolled = users.confirm_passkey(name=name, **answer, **change_of(request))
    except DomainError as refusal:
        return back(request, refusal)
    messages.success(request, _("“%(name)s” counts from now on.") % {"name": name})
    if enrolled.recovery_codes is not None:
        return show_codes(request, enrolled.recovery_codes)
    return HttpResponseRedirect(reverse(PAGE))


def ask(request: HttpRequest) -> HttpResponse:
    """Answer what the browser is to sign for whoever signs in. POST only."""
    require_post(request)
    try:
        return _options(users.ask_for_passkey(purpose=PasskeyPurpose.SIGN_IN, now=clock.now()))
    except DomainError as refusal:
        return _refused(refusal)


def sign_in(request: HttpRequest) -> None:
    """Sign in the active staff user whose passkey answers.

    Raises:
        InvalidCredentials, LockedOut, PasskeysOff: from the users room; not staff is refused like a wrong answer.
    """
    origin = Origin(request_id=context.current().request_id, ip=request.META.get("REMOTE_ADDR", ""))
    try:
        answer = _answer(request)
    except PasskeyRefused as error:
        raise InvalidCredentials from error
    purpose = PasskeyPurpose.SIGN_IN
    with users.checked_passkey(request=request, **answer, purpose=purpose, origin=origin, now=clock.now()) as passkey:
        user: Any = passkey.user
        if not user.is_staff:
            raise InvalidCredentials
        user.otp_device = passkey  # django-otp verifies the session by it
        auth.login(request, user, backend=_BACKEND)


def _answer(request: HttpRequest) -> dict[str, Any]:
    """Return which challenge a form answers, and with what."""
    try:
        credential = json.loads(request.POST.get("credential", ""))
        answer = {"challenge_id": UUID(request.POST.get("challenge", "")), "credential": credential}
    except (ValueError, RecursionError) as error:
        raise PasskeyRefused from error
    if not isinstance(credential, dict):
        raise PasskeyRefused
    return answer


def _options(ceremony: users.Ceremony) -> HttpResponse:
    return JsonResponse({"challenge": str(ceremony.id), "options": ceremony.options})


def _refused(refusal: DomainError) -> HttpResponse:
    return JsonResponse({"message": str(refusal.message)}, status=refusal.status)
