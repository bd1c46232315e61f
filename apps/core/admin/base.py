"""The base of every staff page: read-only records, keyset lists, service actions."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import (
    display_for_field,
    display_for_value,
    label_for_field,
    lookup_field,
    unquote,
)
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from apps.core.admin import actions, display, live
from apps.core.admin.actions import ServiceAction
from apps.core.admin.changelist import KeysetChangeList
from apps.core.admin.panels import Facts, Happening, Notice, Panel, Stat, Text

PanelSource = Callable[[HttpRequest, Any], Sequence[Panel]]
HappeningSource = Callable[[Any], Iterable[Happening]]
_panels: dict[type[Model], list[PanelSource]] = {}
_happenings: dict[type[Model], list[HappeningSource]] = {}
_actions: dict[type[Model], list[ServiceAction]] = {}


def contributes_panels(model: type[Model]) -> Callable[[PanelSource], PanelSource]:
    """Add panels to the page of a model of a lower room, which cannot know of them."""

    def add(source: PanelSource) -> PanelSource:
        _panels.setdefault(model, []).append(source)
        return source

    return add


def contributes_happenings(model: type[Model]) -> Callable[[HappeningSource], HappeningSource]:
    """Add to the timeline of a model of a lower room, which cannot know of them."""

    def add(source: HappeningSource) -> HappeningSource:
        _happenings.setdefault(model, []).append(source)
        return source

    return add


def contributed_happenings(obj: Model) -> list[Happening]:
    """Return what higher rooms know to have happened to a record."""
    return [item for source in _happenings.get(type(obj), []) for item in source(obj)]


def contribute_actions(model: type[Model], *offered: ServiceAction) -> None:
    """Add actions to a model of a lower room, whose services are composed in a higher one."""
    _actions.setdefault(model, []).extend(offered)


class StaffModelAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """A model's list and its records' pages. Nothing is edited here: changes are service actions.

    `facts` are the groups of the side column: (title, names of fields or methods). `empty_hint` says what to do
    when the list is empty. `ordering` ends with the key. `search_fields` are searched as text, `search_ids` when the
    term is a UUID. Columns in `never_read`, such as secrets, do not leave the database;
    those in `not_in_list` are long, and a list does not read them.
    """

    change_list_template = "core/changelist.html"
    live_list_template = "core/rows.html"
    detail_template = "core/detail.html"
    live_template = "core/record.html"
    confirm_template = "core/confirm.html"
    list_per_page = 50
    show_full_result_count = False
    list_fullwidth = True
    list_disable_select_all = True
    preserve_filters = False
    sortable_by: ClassVar[Sequence[str]] = ()
    ordering: Sequence[str] = ("-pk",)
    service_actions: ClassVar[Sequence[ServiceAction]] = ()
    never_read: ClassVar[Sequence[str]] = ()
    not_in_list: ClassVar[Sequence[str]] = ()
    search_ids: ClassVar[Sequence[str]] = ("id",)
    facts: ClassVar[Sequence[tuple[Text, Sequence[str]]]] = ()
    empty_hint: ClassVar[Text] = ""
    plural: ClassVar[Text] = ""  # what the list is called, where the model's own name would not say it
    list_is_live = False  # the list fetches itself anew every two seconds
    page_is_live = False  # so does a record's page, even while nothing is under way

    # Nothing is added, edited or deleted outside of services.

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow whoever may view or act upon the model."""
        return any(request.user.has_perm(self._codename(verb)) for verb in ("view", "change"))

    def _codename(self, verb: str) -> str:
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    # Lists.

    @property
    def list_name(self) -> Text:
        """Return what the list is called."""
        return self.plural or self.opts.verbose_name_plural

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).defer(*self.never_read)
        # A record's page shows the same relations as its row in the list.
        return rows.select_related(*self.list_select_related) if self.list_select_related else rows

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to the rows what one query can fetch for all of them: by default the tenants' slugs."""
        tenants = {row.tenant_id for row in rows if getattr(row, "tenant_id", None)}
        slugs = self.admin_site.tenant_slugs(tenants) if tenants else {}
        for row in rows:
            row.tenant_slug = slugs.get(getattr(row, "tenant_id", None), "")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find an id exactly, by its index; anything else as text."""
        term = search_term.strip()
        names = [name if "__" in name else f"{name}__icontains" for name in self.search_fields]
        try:
            key = UUID(term)
        except ValueError:
            pass
        else:
            names, term = list(self.search_ids), str(key)
        if not term or not names:
            return queryset, False
        return queryset.filter(Q.create([(name, term) for name in names], connector=Q.OR)), False

    @display.column(gettext_lazy("tenant"))
    def tenant(self, obj: Any) -> Any:
        """Return the tenant's slug."""
        return display.chip(obj.tenant_slug) if obj.tenant_slug else display.NOTHING

    def get_actions(self, request: HttpRequest) -> dict[str, tuple[Any, str, Text]]:
        """Offer the service actions that the user may run."""
        if getattr(request, "_popup", False):
            return {}
        return {action.name: (_menu_entry(action), action.name, action.label) for action in self._menu(request)}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with a button for each action that the user may run on chosen rows."""
        if self.list_is_live and request.method == "GET" and live.is_live(request):
            return self._live_list(request)
        extra = {**(extra_context or {}), "menu": self._menu(request), "live_url": live.url_of(request)}
        response: HttpResponse = super().changelist_view(request, extra)
        return response

    def _live_list(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise Http404 from error
        tag = live.state_of(rows.result_list)
        context = {"cl": rows, "opts": self.opts}
        return live.unchanged(request, tag) or live.fragment(
            request, TemplateResponse(request, self.live_list_template, context), tag
        )

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Refuse chosen ids that cannot be ids before they reach the database."""
        key = self.opts.pk
        try:
            for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
                key.clean(chosen, None)
        except ValidationError:
            messages.error(request, _("A chosen row has an id that cannot be one; nothing was done."))
            return HttpResponseRedirect(request.get_full_path())
        response: HttpResponse | None = super().response_action(request, queryset)
        return response

    def _allowed_actions(self, request: HttpRequest) -> list[ServiceAction]:
        offered = [*self.service_actions, *_actions.get(self.model, [])]
        return [item for item in offered if request.user.has_perm(self._codename(item.permission))]

    def _menu(self, request: HttpRequest) -> list[ServiceAction]:
        return [action for action in self._allowed_actions(request) if action.page is None]

    # A record's page.

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            self.prepare_rows(request, [obj])
        return obj

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
        panels = [panel for source in _panels.get(self.model, []) for panel in source(request, obj)]
        panels += self.panels(request, obj)
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
            return label, display.short_id(value)
        return label, display_for_field(value, field, display.NOTHING) or display.NOTHING

    # Buttons.

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_do"
        view = self.admin_site.admin_view(self.action_view)
        return [path("<path:object_id>/do/<slug:name>/", view, name=name), *super().get_urls()]

    def action_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Run a button of a record's page; POST only."""
        action = next((item for item in self._allowed_actions(request) if item.name == name), None)
        if request.method != "POST" or action is None:
            raise PermissionDenied
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            raise Http404
        target = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
        return self.perform(request, action, [obj], back=target) or HttpResponseRedirect(target)

    def perform(
        self, request: HttpRequest, action: ServiceAction, objects: Sequence[Any], back: str
    ) -> HttpResponse | None:
        """Run the action, or return the page that asks first."""
        if action.page is not None:
            return action.page(request, objects[0])
        reason = request.POST.get("reason", "").strip()
        confirmed = "confirmed" in request.POST and action.accepts(reason)
        if action.asks_first and not confirmed:
            return TemplateResponse(
                request, self.confirm_template, self._confirm_context(request, action, objects, back)
            )
        actions.run(action, objects, request, reason[:500])
        return None

    def _confirm_context(
        self, request: HttpRequest, action: ServiceAction, objects: Sequence[Any], back: str
    ) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": action.label,
            "opts": self.opts,
            "list_name": self.list_name,
            "action": action,
            "objects": objects,
            "back": back,
            "reason_missing": "confirmed" in request.POST,
            "from_list": "_selected_action" in request.POST,
        }

    # Django's own history of clicks stays empty: what staff do is in the audit log.

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the record's audit entries."""
        return HttpResponseRedirect(display.changelist_url("audit.auditentry", q=unquote(object_id)))


def _menu_entry(
    action: ServiceAction,
) -> Callable[[StaffModelAdmin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    def entry(model_admin: StaffModelAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        objects = list(queryset.order_by(*model_admin.ordering)[: actions.MAX_OBJECTS + 1])
        if len(objects) > actions.MAX_OBJECTS:
            actions.too_many(request)
            return None
        model_admin.prepare_rows(request, objects)
        return model_admin.perform(request, action, objects, back=request.get_full_path())

    return entry
