"""The page that asks staff again who they are, before a sensitive change."""

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.backoffice.identity.forms import CodeInput, validate_code
from apps.core import clock, context
from apps.core.admin.proof import mark_proved
from apps.core.api import limits
from apps.core.errors import DomainError
from apps.users import services as users
from apps.users.types import Origin


class ConfirmForm(forms.Form):
    """A password and a code; neither is shown again."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    otp = forms.CharField(
        label=gettext_lazy("One-time code"),
        max_length=40,
        validators=[validate_code],
        help_text=gettext_lazy("From your authenticator app, or one of your recovery codes."),
        widget=CodeInput(attrs={"autocomplete": "one-time-code", "placeholder": "000000"}),
    )


def page(request: HttpRequest) -> HttpResponse:
    """Ask for password and code; then lead back to where the proof was wanted."""
    target = _target(request)
    form = ConfirmForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            _prove(request, form.cleaned_data["password"], form.cleaned_data["otp"])
            return HttpResponseRedirect(target)
        except DomainError as refusal:
            form.add_error(None, str(refusal.message))
    shown = {**admin.site.each_context(request), "title": _("Confirm that it is you"), "form": form, "next": target}
    return TemplateResponse(request, "backoffice/confirm_identity.html", shown)


def _prove(request: HttpRequest, password: str, otp: str) -> None:
    limits.charge(request, None, also=(limits.SIGN_IN,))
    now, username = clock.now(), request.user.get_username()
    origin = Origin(request_id=context.current().request_id, ip=request.META.get("REMOTE_ADDR", ""))
    with users.one_attempt_at_a_time(username):
        user = users.check_password(request=request, username=username, password=password, origin=origin, now=now)
        users.check_second_factor(request=request, user=user, otp=otp, tenant_id=None, origin=origin, now=now)
    mark_proved(request, now=now)


def _target(request: HttpRequest) -> str:
    """Return where the user wanted to go, if that is a page of ours."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/admin/")
    return wanted if is_ours else reverse("admin:index")
