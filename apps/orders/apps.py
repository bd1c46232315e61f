"""App configuration of the orders room."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "apps.orders"
    label = "orders"
    verbose_name = _("Orders")

    def ready(self) -> None:
        """Keep connections that orders are open on from being disabled."""
        from apps.orders.services.connections import require_no_open_orders
        from apps.providers.needs import register_need

        register_need(require_no_open_orders)
