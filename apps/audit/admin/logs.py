"""What lists of several logs have in common: whose log it is."""

from django.db.models import Model, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.admin import chip, one_of

LOG_FILTER = one_of(
    "log",
    gettext_lazy("log"),
    {
        "installation": (gettext_lazy("Installation"), Q(tenant_id=None)),
        "tenants": (gettext_lazy("Tenants"), Q(tenant_id__isnull=False)),
    },
)


def log_chip(row: Model) -> str:
    """Return whose log a row is of."""
    slug = getattr(row, "tenant_slug", "")
    return chip(slug) if slug else chip(_("installation"), "info")
