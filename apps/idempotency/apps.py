"""App configuration of the idempotency room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IdempotencyConfig(AppConfig):
    name = "apps.idempotency"
    label = "idempotency"
    verbose_name = _("Idempotency")

    def ready(self) -> None:
        """Plug in what proves the room."""
        from apps.idempotency.verification import register_checks

        register_checks()
