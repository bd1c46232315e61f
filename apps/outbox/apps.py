"""App configuration of the outbox room."""

from django.apps import AppConfig
from django.conf import settings
from django.utils.module_loading import autodiscover_modules, import_string
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    name = "apps.outbox"
    label = "outbox"
    verbose_name = _("Outbox")

    def ready(self) -> None:
        """Complete the catalogue of event types. Under test, every event is checked against it."""
        autodiscover_modules("events")
        if settings.EVENTS_CHECKED_BY:
            from apps.outbox.services import on_emitted

            on_emitted(import_string(settings.EVENTS_CHECKED_BY))
