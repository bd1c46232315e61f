"""App configuration of the outbox room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    name = "apps.outbox"
    label = "outbox"
    verbose_name = _("Outbox")

    def ready(self) -> None:
        """Plug in what proves the room."""
        from apps.outbox.verification import register_checks

        register_checks()
