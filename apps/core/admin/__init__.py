"""What every room's admin.py is made of: read-only pages, keyset lists, actions that call services.

The admin never writes by itself. A page reads inside the site's staff scope; an action calls the room's service
once per object, as the staff user, acting upon the object's tenant.
"""

from apps.core.admin.actions import Outcome, ServiceAction, staff_actor
from apps.core.admin.base import StaffModelAdmin
from apps.core.admin.changelist import TenantFilter, recent_values
from apps.core.admin.contributions import (
    contribute_actions,
    contributed_happenings,
    contributes_happenings,
    contributes_panels,
)
from apps.core.admin.display import (
    NOTHING,
    about_url,
    average,
    bar,
    changelist_url,
    chip,
    clock_time,
    code,
    column,
    due,
    duration,
    exact,
    figure,
    link,
    moment,
    money,
    number,
    percent,
    pretty,
    price,
    progress,
    quantity,
    record_url,
    short_id,
    status_chip,
    tag,
    two_lines,
)
from apps.core.admin.forms import ReasonForm, form_page
from apps.core.admin.panels import Facts, FactsGrid, Happening, Lane, Notice, Panel, Source, Stat, Table
from apps.core.admin.timeline import merged

__all__ = [
    "NOTHING",
    "Facts",
    "FactsGrid",
    "Happening",
    "Lane",
    "Notice",
    "Outcome",
    "Panel",
    "ReasonForm",
    "ServiceAction",
    "Source",
    "StaffModelAdmin",
    "Stat",
    "Table",
    "TenantFilter",
    "about_url",
    "average",
    "bar",
    "changelist_url",
    "chip",
    "clock_time",
    "code",
    "column",
    "contribute_actions",
    "contributed_happenings",
    "contributes_happenings",
    "contributes_panels",
    "due",
    "duration",
    "exact",
    "figure",
    "form_page",
    "link",
    "merged",
    "moment",
    "money",
    "number",
    "percent",
    "pretty",
    "price",
    "progress",
    "quantity",
    "recent_values",
    "record_url",
    "short_id",
    "staff_actor",
    "status_chip",
    "tag",
    "two_lines",
]
