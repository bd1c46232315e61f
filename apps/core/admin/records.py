"""A record's page: its head, its numbers, its panels, its facts."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.utils import display_for_value, label_for_field, lookup_field, unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.core.admin import display, live, values
from apps.core.admin.acting import ActingAdmin
from apps.core.admin.actions import ServiceAction
from apps.core.admin.contributions import contributed_panels
from apps.core.admin.panels import Facts, Notice, Panel, Stat, Text


class RecordAdmin(ActingAdmin):
    """The page of a record. A room says what is on it."""

    detail_template = "core/detail.html"
    live_template = "core/record.html"
    facts: ClassVar[Sequence[tuple[Text, Sequence[str]]]] = ()
    page_is_live = False  # the page fetches itself anew every two seconds, even while nothing is under way

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the record."""
        if request.method != "GET":
            raise PermissionDenied
        obj = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        if obj is None:
            return self._missing(request, object_id)
        context = self._record_context(request, obj)
        if live.is_live(request):
            return live.fragment(request, TemplateResponse(request, self.live_template, context))
        context |= {**self.admin_site.each_context(request), "has_view_permission": True}
        return TemplateResponse(request, self.detail_template, context)

    def _missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        text = _("There is no %(name)s with the id %(id)s; it may have been removed.")
        messages.warning(request, text % {"name": self.opts.verbose_name, "id": unquote(object_id)})
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def _record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        panels = [*contributed_panels(request, obj), *self.panels(request, obj)]
        return {
            "title": self.headline(obj),
            "opts": self.opts,
            "list_name": self.list_name,
            "original": obj,
            "object": obj,
            "headline": self.headline(obj),
            "subtitle_text": self.subtitle(obj),
            "status": self.status(obj),
            "notice": self.notice(obj),
            "stats": self.stats(obj),
            "main_panels": [panel for panel in panels if panel.kind != "facts"],
            "side_panels": [*self._facts(obj), *[panel for panel in panels if panel.kind == "facts"]],
            "related_links": self.related_links(obj),
            "moving": self.is_moving(obj),
            "always_live": self.page_is_live,
            "buttons": self._buttons(request, obj),
        }

    def _buttons(self, request: HttpRequest, obj: Any) -> list[tuple[ServiceAction, str]]:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        offered = [action for action in self._allowed_actions(request) if action.available(obj)]
        offered.sort(key=lambda action: action.danger)  # nobody's first click
        return [(action, reverse(name, args=[obj.pk, action.name])) for action in offered]

    def is_moving(self, obj: Any) -> bool:
        """Tell whether work is under way; the page then fetches itself anew every two seconds."""
        return False

    def headline(self, obj: Any) -> str:
        """Return the page's title."""
        return str(obj)

    def subtitle(self, obj: Any) -> Text:
        """Return the line under the title."""
        return ""

    def status(self, obj: Any) -> Text:
        """Return the chip beside the title."""
        return display.status_chip(obj) if hasattr(obj, "status") else ""

    def notice(self, obj: Any) -> Notice | None:
        """Return what staff should know first, and what to do about it."""
        return None

    def stats(self, obj: Any) -> Sequence[Stat]:
        """Return the numbers under the title."""
        return ()

    def panels(self, request: HttpRequest, obj: Any) -> Sequence[Panel]:
        """Return what belongs to the record."""
        return ()

    def related_links(self, obj: Any) -> Sequence[tuple[Text, str]]:
        """Return links to lists about this record: (label, URL)."""
        return ()

    def _facts(self, obj: Any) -> list[Facts]:
        return [Facts(title, [self._fact(name, obj) for name in names]) for title, names in self.facts]

    def _fact(self, name: str, obj: Any) -> tuple[Text, Text]:
        field, _attribute, value = lookup_field(name, obj, self)
        label = str(label_for_field(name, self.model, self))
        if field is None:
            return label, display_for_value(value, display.NOTHING)
        if isinstance(field, models.DateTimeField):
            return label, display.exact(value)
        if isinstance(field, models.JSONField):
            return label, display.code(value)
        if isinstance(field, models.UUIDField):
            return label, display.whole_id(value)
        return label, values.of_field(value, field)

    # Django's own history of clicks stays empty: what staff do is in the audit log.

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the record's audit entries."""
        return HttpResponseRedirect(display.changelist_url("audit.auditentry", q=unquote(object_id)))
