"""A page with a form that calls one service: for actions that need more than a reason."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy

from apps.core.admin.display import record_url
from apps.core.admin.panels import Text
from apps.core.errors import DomainError, ValidationFailed

LONGEST_REASON = 500


class ReasonForm(forms.Form):
    """What every such form asks for."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("Who asked for it, and why; the audit log keeps it."),
        error_messages={"required": gettext_lazy("Say why: the audit log keeps it.")},
        max_length=LONGEST_REASON,
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.order_fields([*(name for name in self.fields if name != "reason"), "reason"])


def is_done(form: forms.Form, call: Callable[[], None]) -> bool:
    """Call a service, and tell whether it did what was asked; what it refuses is shown on the form."""
    try:
        # What is refused must leave the page's own transaction whole.
        with transaction.atomic():
            call()
    except ValidationFailed as error:
        for problem in error.extra.get("errors", [{"field": None, "message": error.message}]):
            form.add_error(problem["field"], str(problem["message"]))
        return False
    except DomainError as error:
        form.add_error(None, str(error.message))
        return False
    return True


def form_page(
    request: HttpRequest,
    obj: Model,
    form: ReasonForm,
    *,
    save: Callable[[], None],
    title: Text,
    text: Text,
    submit: Text,
    done: str,
) -> HttpResponse:
    """Show the form; once it is sent and valid, `save` calls the service, and `done` says so."""
    back = record_url(obj._meta.label_lower, obj.pk)
    if form.is_bound and form.is_valid() and is_done(form, save):
        messages.success(request, done)
        return HttpResponseRedirect(back)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "text": text,
        "submit": submit,
        "form": form,
        "of": obj,
        "opts": obj._meta,
        "back": back,
    }
    return TemplateResponse(request, "core/form.html", context)
