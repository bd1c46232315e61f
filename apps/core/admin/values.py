"""How a field's value looks, in a list and on a record's page: figures that can be read, yes and no as words."""

import re
from decimal import Decimal
from typing import Any

from django.contrib.admin.utils import display_for_field
from django.db.models import Field
from django.utils.translation import gettext as _

from apps.core.admin.display import NOTHING, figure, number, quantity
from apps.core.admin.panels import Text

# A number of five digits or more that is no part of a name, an id, a date or an address.
_LONG_NUMBER = re.compile(r"(?<![\w.,:/-])\d{5,}(?:\.\d+)?(?![\w:/-])")


def of_field(value: Any, field: "Field[Any, Any]") -> Text:
    """Return a field's value: a choice by its label, yes or no, numbers with their thousands separated."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Decimal):
        return quantity(value)
    if isinstance(value, int) and not field.flatchoices:
        return number(value)
    return display_for_field(value, field, NOTHING) or NOTHING


def sentence(text: str) -> str:
    """Return a sentence of ours with the thousands of its long numbers separated; the API gives them as they are.

    >>> sentence("The position could reach 448750.4; the limit is 100000.")
    'The position could reach 448,750.4; the limit is 100,000.'
    """
    return _LONG_NUMBER.sub(lambda found: figure(Decimal(found[0])), text)
