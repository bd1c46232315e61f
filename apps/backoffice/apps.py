"""App configuration of the back office."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class BackofficeConfig(AppConfig):
    name = "apps.backoffice"
    label = "backoffice"
    verbose_name = _("Back office")


class StaffAdminConfig(AdminConfig):
    """Puts our site in the place of Django's default one."""

    default_site = "apps.backoffice.site.StaffSite"
