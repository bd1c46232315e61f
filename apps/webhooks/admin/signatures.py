"""The page that says why a receiver refuses our signature: a request as it came, checked step by step.

What is pasted is neither stored nor logged, and a secret is not sent back to the page either.
"""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from apps.core import clock
from apps.core.admin import ServiceAction, record_url
from apps.core.admin.panels import Tone
from apps.core.scope import tenant_scope
from apps.webhooks.diagnosis import is_right, parse_headers
from apps.webhooks.models import Endpoint
from apps.webhooks.selectors.signatures import Received, check_signature

_MOST = 1_000_000
_ICONS: Mapping[str, tuple[Tone, str]] = {
    "right": ("ok", "check_circle"),
    "wrong": ("bad", "cancel"),
    "notice": ("warn", "info"),
}


class ReceivedForm(forms.Form):
    """A request as its receiver has it."""

    headers = forms.CharField(
        label=gettext_lazy("Headers"),
        help_text=gettext_lazy("A line each: webhook-id, webhook-timestamp, webhook-signature. Others do no harm."),
        error_messages={"required": gettext_lazy("Paste at least the three that begin with webhook-.")},
        max_length=20_000,
        widget=forms.Textarea(
            attrs={
                "rows": 5,
                "spellcheck": "false",
                "placeholder": "webhook-id: …\nwebhook-timestamp: …\nwebhook-signature: v1,…",
            }
        ),
    )
    body = forms.CharField(
        label=gettext_lazy("Body"),
        help_text=gettext_lazy("The raw text, before anything has parsed it."),
        required=False,
        strip=False,
        max_length=_MOST,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
    )
    secret = forms.CharField(
        label=gettext_lazy("The secret that the receiver uses"),
        help_text=gettext_lazy("Optional; for Ed25519 the public key. Without it, the endpoint's own are tried."),
        required=False,
        strip=False,
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    computed = forms.CharField(
        label=gettext_lazy("The signature that the receiver computes"),
        help_text=gettext_lazy("Optional: tells which mistake its code makes."),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean_body(self) -> str:
        """Return the body with the line ends that were pasted: a browser sends each of a text area's as CR LF."""
        body: str = self.cleaned_data["body"]
        return body.replace("\r\n", "\n")

    def received(self) -> Received:
        """Return what was pasted."""
        given = self.cleaned_data
        headers = parse_headers(given["headers"])
        return Received(headers=headers, body=given["body"], secret=given["secret"], computed=given["computed"])


@sensitive_post_parameters("headers", "body", "secret", "computed")
def signature_view(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    """Show the form and, once a request is pasted, what is right and what is wrong with it."""
    form = ReceivedForm(data=request.POST if "headers" in request.POST else None)
    context = {
        **admin.site.each_context(request),
        "title": _("Check a signature"),
        "form": form,
        "endpoint": endpoint,
        "opts": Endpoint._meta,
        "back": record_url("webhooks.endpoint", endpoint.pk),
        **(_found(endpoint, form.received()) if form.is_valid() else {}),
    }
    return TemplateResponse(request, "webhooks/signature.html", context)


def _found(endpoint: Endpoint, received: Received) -> dict[str, Any]:
    with tenant_scope(endpoint.tenant_id):
        steps = check_signature(endpoint, received, now=clock.now())
    right = is_right(steps)
    tone, icon = _ICONS["right" if right else "wrong"]
    wrong = sum(step.outcome == "wrong" for step in steps)
    return {
        "verdict": _("The signature is right") if right else _("The signature does not hold"),
        "said": _("A receiver that checks as the standard says takes this request.")
        if right
        else _("%(wrong)s of %(all)s steps went wrong. Mend what is marked, then check a new request.")
        % {"wrong": wrong, "all": len(steps)},
        "tone": tone,
        "icon": icon,
        "steps": [(*_ICONS[step.outcome], step) for step in steps],
    }


CHECK_SIGNATURE = ServiceAction(
    name="check-signature",
    label=gettext_lazy("Check a signature"),
    icon="signature",
    page=signature_view,
    permission="view",
    available=lambda endpoint: endpoint.deleted_at is None,
)
