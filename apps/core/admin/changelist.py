"""Lists that stay quick on big tables: no COUNT, one page by key range, tenant names in one look-up."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.views import ChangeList

from apps.core.admin import rows
from apps.core.admin.live import LIVE
from apps.core.admin.panels import Text
from apps.core.scope import of_reach

CURSOR = "after"
_NEWEST = 2000


class KeysetChangeList(ChangeList):  # type: ignore[misc]  # unfold has no types
    """A page of rows after a cursor, in the admin's fixed `ordering`, which ends with the key.

    One tenant's rows are in its `tenant_ordering`, if it has one: that of an index which begins with the tenant.

    `next_url` leads to the rows after this page, `first_url` back to the first page; each is empty when there is none.
    """

    next_url = ""
    first_url = ""
    formset = None  # nothing is edited in a list

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.cursor = request.GET.get(CURSOR, "")
        if CURSOR in request.GET or LIVE in request.GET:
            # The base class takes every parameter it does not know for a field look-up.
            request.is_live_part = LIVE in request.GET  # type: ignore[attr-defined]  # what filters ask for below
            request.GET = request.GET.copy()  # type: ignore[assignment]
            for name in (CURSOR, LIVE):
                request.GET.pop(name, None)  # type: ignore[misc]
        if any("\x00" in value for values in request.GET.lists() for value in values[1]):
            raise IncorrectLookupParameters(_("A parameter has a character that no text can have."))
        super().__init__(request, *args, **kwargs)
        self.title = capfirst(self.model_admin.list_name)

    @property
    def head(self) -> Sequence[tuple[str, str]]:
        """Return (column, heading) of each column."""
        return rows.head(self)

    @property
    def body(self) -> Sequence[tuple[Any, str]]:
        """Return (key, cells) of each row."""
        return rows.body(self)

    def get_filters(self, request: HttpRequest) -> Any:
        """Take the list's own filters alone: any other look-up, such as a password's beginning, tells by its rows."""
        names = {name for item in self.list_filter for name in _parameters(item)}
        for asked in self.get_filters_params():
            if asked not in names and asked.rpartition("__")[0] not in names:
                raise IncorrectLookupParameters(_("The list has no such filter."))
        return super().get_filters(request)

    def get_results(self, request: HttpRequest) -> None:
        """Fetch one page and one row more, which tells whether another page follows."""
        is_of_one = bool(self.params.get(TenantFilter.parameter_name))
        names = (is_of_one and self.model_admin.tenant_ordering) or self.model_admin.ordering
        ordering = _ordering(names)
        found = (
            of_reach(self.queryset).order_by(*names).defer(*self.model_admin.never_read, *self.model_admin.not_in_list)
        )
        if self.cursor:
            found = found.filter(_after(ordering, self._decode(ordering)))
            self.first_url = self.get_query_string()
        page = list(found[: self.list_per_page + 1])
        if len(page) > self.list_per_page:
            page.pop()
            self.next_url = self.get_query_string({CURSOR: self._encode(ordering, page[-1])})
        self.model_admin.prepare_rows(request, page)
        self.result_list = page
        self.result_count = self.full_result_count = len(page)
        self.show_full_result_count = False
        self.show_admin_actions = bool(page)
        self.can_show_all = self.multi_page = False
        self.paginator = Paginator(page, self.list_per_page)

    def _field(self, name: str) -> "Field[Any, Any]":
        field: Field[Any, Any] = self.opts.pk if name == "pk" else self.opts.get_field(name)
        return field

    def _encode(self, ordering: "Sequence[tuple[str, bool]]", row: Model) -> str:
        values = [self._field(name).value_to_string(row) for name, _descending in ordering]
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()

    def _decode(self, ordering: "Sequence[tuple[str, bool]]") -> list[Any]:
        try:
            values = json.loads(base64.urlsafe_b64decode(self.cursor))
            return [self._field(name).to_python(value) for (name, _), value in zip(ordering, values, strict=True)]
        except (binascii.Error, ValueError, TypeError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from error


def _parameters(item: Any) -> Sequence[str]:
    """Return the parameters that a list's filter takes."""
    names: Sequence[str] = getattr(item, "parameter_names", ()) or (getattr(item, "parameter_name", item),)
    return names


def _ordering(names: Sequence[str]) -> list[tuple[str, bool]]:
    return [(name.removeprefix("-"), name.startswith("-")) for name in names]


def _after(ordering: Sequence[tuple[str, bool]], values: Sequence[Any]) -> Q:
    """Return the condition for rows behind `values`: a row comparison, spelled out since directions may differ."""
    condition, equal = Q(pk__in=[]), Q()
    for (name, descending), value in zip(ordering, values, strict=True):
        condition |= equal & Q(**{f"{name}__{'lt' if descending else 'gt'}": value})
        equal &= Q(**{name: value})
    # The redundant bound on the leading column lets the planner start the index scan at the cursor.
    (name, descending), value = ordering[0], values[0]
    return condition & Q(**{f"{name}__{'lte' if descending else 'gte'}": value})


def shows_no_choices(request: HttpRequest) -> bool:
    """Tell whether a list's filters are not drawn, so that none needs to look its choices up."""
    return getattr(request, "is_live_part", False)


# A filter without any choice is not applied.
_UNSEEN = [("", "")]


def one_of(name: str, label: Text, choices: Mapping[str, tuple[Text, Q | Callable[[], Q]]]) -> type[SimpleListFilter]:
    """Return a filter with a text and a condition for each choice; a condition that knows the time is a function."""

    class OneOf(SimpleListFilter):
        title = label  # type: ignore[assignment]  # lazy text is fine here
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, str(text)) for value, (text, _condition) in choices.items()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            _text, condition = choices.get(self.value() or "", ("", Q()))
            return queryset.filter(condition() if callable(condition) else condition)

    return OneOf


def recent_values(name: str, label: Text) -> type[SimpleListFilter]:
    """Return a filter on a column's values in the newest rows: DISTINCT over a big table would read all of it."""

    class RecentValues(SimpleListFilter):
        title = label  # type: ignore[assignment]  # lazy text is fine here
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            if shows_no_choices(request):
                return _UNSEEN
            newest = of_reach(model_admin.model.objects.all()).order_by("-pk").values_list(name, flat=True)[:_NEWEST]
            return [(value, value) for value in sorted(set(newest))]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{name: self.value()}) if self.value() else queryset

    return RecentValues


class TenantFilter(SimpleListFilter):
    """Rows of one tenant."""

    title = _("tenant")
    parameter_name = "tenant"
    field = "tenant_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the tenants by slug."""
        if shows_no_choices(request):
            return _UNSEEN
        return [(str(key), slug) for key, slug in model_admin.admin_site.tenant_choices()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen tenant."""
        if not self.value():
            return queryset
        try:
            return queryset.filter(**{self.field: UUID(self.value())})
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
