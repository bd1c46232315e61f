"""A list's head and rows. Unfold draws a widget per cell and row; these are strings, at a third of the time."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import display_for_value, label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import ForeignKey, Model
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from apps.core.admin.display import NOTHING
from apps.core.admin.values import of_field

if TYPE_CHECKING:
    from apps.core.admin.changelist import KeysetChangeList

_CHECKBOX = "action_checkbox"


def head(rows: "KeysetChangeList") -> Sequence[tuple[str, SafeString]]:
    """Return (column, heading) of each column."""
    return [(name, _heading(name, rows)) for name in rows.list_display]


def body(rows: "KeysetChangeList") -> Sequence[tuple[Any, SafeString]]:
    """Return (key, cells) of each row."""
    links = frozenset(rows.list_display_links or ())
    return [(row.pk, mark_safe("".join(_cells(row, rows, links)))) for row in rows.result_list]  # noqa: S308  (all are safe)


def _heading(name: str, rows: "KeysetChangeList") -> SafeString:
    if name == _CHECKBOX:
        label = _("Choose every row of this page")
        return format_html('<input type="checkbox" id="action-toggle" class="fo-check" aria-label="{}">', label)
    return format_html("{}", capfirst(str(label_for_field(name, rows.model, rows.model_admin))))


def _cells(row: Model, rows: "KeysetChangeList", links: frozenset[str]) -> Iterator[SafeString]:
    for name in rows.list_display:
        if name == _CHECKBOX:
            yield _checkbox(row)
        elif name in links:
            url = rows.url_for_result(row)
            cell = '<th scope="row" class="field-{}"><a href="{}">{}</a></th>'
            yield format_html(cell, name, url, _shown(name, row, rows))
        else:
            yield format_html('<td class="field-{}">{}</td>', name, _shown(name, row, rows))


def _checkbox(row: Model) -> SafeString:
    return format_html(
        '<td class="action-checkbox"><input type="checkbox" name="{}" value="{}" class="action-select fo-check"'
        ' aria-label="{}"></td>',
        ACTION_CHECKBOX_NAME,
        row.pk,
        _("Choose %(row)s") % {"row": row},
    )


def _shown(name: str, row: Model, rows: "KeysetChangeList") -> str:
    try:
        field, _attribute, value = lookup_field(name, row, rows.model_admin)
    except ObjectDoesNotExist:
        return NOTHING
    if field is None:
        shown: str = display_for_value(value, NOTHING)
        return shown
    if isinstance(field, ForeignKey):
        return str(getattr(row, field.name) or NOTHING)
    return str(of_field(value, field))
