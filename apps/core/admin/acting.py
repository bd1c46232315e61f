"""Actions on the pages: who may run which, the page that asks first, and the service."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from apps.core.admin import actions
from apps.core.admin.actions import ServiceAction
from apps.core.admin.contributions import contributed_actions
from apps.core.admin.panels import Table, Text
from apps.core.admin.proof import ask_first, is_proved


class ActingAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """What the buttons of a record's page and the menu of a list do."""

    confirm_template = "core/confirm.html"
    service_actions: ClassVar[Sequence[ServiceAction]] = ()
    plural: ClassVar[Text] = ""  # what the list is called, where the model's own name would not say it

    @property
    def list_name(self) -> Text:
        """Return what the list is called."""
        return self.plural or self.opts.verbose_name_plural

    def _codename(self, verb: str) -> str:
        return verb if "." in verb else f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    def prepare_rows(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Attach to the rows what one query can fetch for all of them: by default the tenants' slugs."""
        tenants = {row.tenant_id for row in rows if getattr(row, "tenant_id", None)}
        slugs = self.admin_site.tenant_slugs(tenants) if tenants else {}
        for row in rows:
            row.tenant_slug = slugs.get(getattr(row, "tenant_id", None), "")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            self.prepare_rows(request, [obj])
        return obj

    def chosen(self, objects: Sequence[Any]) -> Table | None:
        """Return what a confirmation tells of each object; without it, its name."""
        return None

    def _allowed_actions(self, request: HttpRequest) -> list[ServiceAction]:
        offered = [*self.service_actions, *contributed_actions(self.model)]
        return [item for item in offered if request.user.has_perm(self._codename(item.permission))]

    def _menu(self, request: HttpRequest) -> list[ServiceAction]:
        return [action for action in self._allowed_actions(request) if action.page is None]

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
        if action.sensitive and not is_proved(request):
            return ask_first(back)
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
            "consequences": action.foretell(objects) if action.foretell else [],
            "chosen": self.chosen(objects),
            "back": back,
            "reason_missing": "confirmed" in request.POST,
            "from_list": "_selected_action" in request.POST,
        }


def menu_entry(
    action: ServiceAction,
) -> Callable[[ActingAdmin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    def entry(model_admin: ActingAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        objects = list(queryset.order_by(*model_admin.ordering)[: actions.MAX_OBJECTS + 1])
        if len(objects) > actions.MAX_OBJECTS:
            actions.too_many(request)
            return None
        model_admin.prepare_rows(request, objects)
        return model_admin.perform(request, action, objects, back=request.get_full_path())

    return entry
