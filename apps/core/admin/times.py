"""The filter of a list by time: the last hour or days, a day, or from one minute to another; all in UTC."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import clock
from apps.core.admin.changelist import TenantFilter
from apps.core.ids import lowest_id

SINCE, UNTIL = "since", "until"
_SPANS: Mapping[str, tuple[Promise, timedelta]] = {
    "1h": (gettext_lazy("Last hour"), timedelta(hours=1)),
    "24h": (gettext_lazy("Last 24 hours"), timedelta(hours=24)),
    "7d": (gettext_lazy("Last 7 days"), timedelta(days=7)),
}
_DAY = timedelta(days=1)


def time_of(name: str, value: str, *, now: datetime) -> datetime | None:
    """Return the time that a parameter of a list names: `since` a span up to now, a day or a minute; `until` the
    end of a day or a minute. None for an empty one.

    Raises:
        ValueError: it names none.
    """
    if not value:
        return None
    if name == SINCE and value in _SPANS:
        return now - _SPANS[value][1]
    at = datetime.fromisoformat(value)
    is_day = len(value) == len("2026-01-01")
    try:
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        return at + _DAY if name == UNTIL and is_day else at
    except OverflowError as error:
        raise ValueError(value) from error


class TimeFilter(ListFilter):
    """Rows of a span of time, by a key that is a UUIDv7: a range of the index that the list is read by."""

    title = gettext_lazy("time")
    template = "core/time_filter.html"
    parameter_names = (SINCE, UNTIL)
    tenant_field = ""  # the column by which one tenant's rows are read, where that is not the key

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.now = clock.now()
        given = {name: str(params.pop(name, [""])[-1]) for name in self.parameter_names}
        self.asked = {name: value for name, value in given.items() if value}
        try:
            self.since, self.until = (time_of(name, given[name], now=self.now) for name in (SINCE, UNTIL))
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error
        self.told = self._told()  # what the filter says while its menu is closed
        self.kept: list[tuple[str, str]] = []  # the other parameters of the list

    def has_output(self) -> bool:
        """Offer it always."""
        return True

    def expected_parameters(self) -> list[str | None]:
        """Return the parameters that it takes."""
        return list(self.parameter_names)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the span."""
        is_by_key = not (self.tenant_field and request.GET.get(TenantFilter.parameter_name))
        field = "pk" if is_by_key else self.tenant_field
        for comparison, at in (("gte", self.since), ("lt", self.until)):
            if at is not None:
                queryset = queryset.filter(**{f"{field}__{comparison}": lowest_id(at) if is_by_key else at})
        return queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Yield what the menu offers; its form holds what the list was asked for besides."""
        self.kept = [
            (name, one)
            for name, values in changelist.filter_params.items()
            for one in (values if isinstance(values, list) else [values])
            if name not in self.parameter_names
        ]
        today = self.now.astimezone(UTC).date()
        days = [(today, _("Today")), (today - _DAY, _("Yesterday"))]
        offered: list[tuple[dict[str, str], Any]] = [({}, _("All"))]
        offered += [({SINCE: value}, text) for value, (text, _span) in _SPANS.items()]
        offered += [({SINCE: str(day), UNTIL: str(day)}, text) for day, text in days]
        for parameters, text in offered:
            is_chosen = parameters == self.asked
            if is_chosen and parameters:
                self.told = text
            link = changelist.get_query_string(parameters, remove=self.parameter_names)
            yield {"selected": is_chosen, "query_string": link, "display": text}

    @property
    def limits(self) -> list[tuple[str, str, str]]:
        """Return (parameter, label, minute) of each field of the form."""
        named = ((SINCE, _("From"), self.since), (UNTIL, _("To"), self.until))
        return [(name, label, f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}" if at else "") for name, label, at in named]

    def _told(self) -> str:
        since, until = (f"{at:%d %b %H:%M}" if at else "" for at in (self.since, self.until))
        if since and until:
            return f"{since} – {until}"
        if since:
            return _("from %(time)s") % {"time": since}
        return _("until %(time)s") % {"time": until} if until else ""


def times_by(tenant_field: str) -> type[TimeFilter]:
    """Return the filter for a list that reads one tenant's rows by a time of theirs."""
    return type("TimesBy", (TimeFilter,), {"tenant_field": tenant_field})
