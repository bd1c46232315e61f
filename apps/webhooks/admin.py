"""Endpoints and deliveries, as staff see and steer them; and the deliveries of an order or an event on its page."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.utils.translation import gettext_noop as message

from apps.core import clock
from apps.core.actor import Actor
from apps.core.admin import (
    NOTHING,
    Happening,
    Lane,
    Notice,
    Outcome,
    Panel,
    ServiceAction,
    Source,
    StaffModelAdmin,
    Stat,
    Table,
    TenantFilter,
    about_url,
    bar,
    changelist_url,
    chip,
    clock_time,
    column,
    contributes_happenings,
    contributes_panels,
    duration,
    link,
    moment,
    number,
    progress,
    recent_values,
    record_url,
    status_chip,
    two_lines,
)
