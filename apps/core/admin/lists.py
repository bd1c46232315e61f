"""A model's list: by key range, searched by index, with a menu of actions; some keep themselves current."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import display, live
from apps.core.admin.acting import ActingAdmin, menu_entry
from apps.core.admin.actions import ListAction
from apps.core.admin.changelist import KeysetChangeList
from apps.core.admin.contributions import contributed_list_actions
from apps.core.admin.panels import Text


class ListAdmin(ActingAdmin):
    """The list of a staff page."""

    change_list_template = "core/changelist.html"
    live_list_template = "core/rows.html"
    list_per_page = 50
    show_full_result_count = False
    list_fullwidth = True
    list_disable_select_all = True
    preserve_filters = False
    sortable_by: ClassVar[Sequence[str]] = ()
    ordering: Sequence[str] = ("-pk",)
    tenant_ordering: ClassVar[Sequence[str]] = ()
    never_read: ClassVar[Sequence[str]] = ()
    not_in_list: ClassVar[Sequence[str]] = ()
    search_ids: ClassVar[Sequence[str]] = ("id",)
    empty_hint: ClassVar[Text] = ""
    list_is_live = False  # the list fetches itself anew every two seconds

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request).defer(*self.never_read)
        # A record's page shows the same relations as its row in the list.
        return rows.select_related(*self.list_select_related) if self.list_select_related else rows

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
        return {action.name: (menu_entry(action), action.name, action.label) for action in self._menu(request)}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with a button for each action that the user may run on chosen rows."""
        if self.list_is_live and request.method == "GET" and live.is_live(request):
            return self._live_list(request)
        extra = {
            **(extra_context or {}),
            "menu": self._menu(request),
            "for_all": self._for_all(request),
            "live_url": live.url_of(request),
        }
        response: HttpResponse = super().changelist_view(request, extra)
        return response

    def _for_all(self, request: HttpRequest) -> list[tuple[ListAction, str]]:
        """Return the buttons for all rows that the list shows, as it is filtered, and where each leads."""
        route = f"admin:{self.opts.app_label}_{self.opts.model_name}_all"
        return [
            (action, f"{reverse(route, args=[action.name])}?{request.GET.urlencode()}")
            for action in contributed_list_actions(self.model)
            if request.user.has_perm(self._codename(action.permission)) and action.available(request.GET)
        ]

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_all"
        view = self.admin_site.admin_view(self.for_all_view)
        return [path("all/<slug:name>/", view, name=name), *super().get_urls()]

    def for_all_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Lead a button above the list to its page; POST only."""
        action = next((item for item, _url in self._for_all(request) if item.name == name), None)
        if request.method != "POST" or action is None:
            raise PermissionDenied
        return action.page(request)

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
