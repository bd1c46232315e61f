"""App configuration of the webhooks room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"
    label = "webhooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from apps.outbox.services import on_relayed
        from apps.webhooks.services import fan_out

        on_relayed(fan_out)
