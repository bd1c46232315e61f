"""The endpoints of the orders room, under /api/v1/."""

from django.urls import path

from apps.orders.api import holdings, kill_switch, orders, risk

urlpatterns = [
    path("fills", holdings.FillListView.as_view(), name="fills"),
    path("kill-switch", kill_switch.KillSwitchView.as_view(), name="kill-switch"),
    path("orders", orders.OrderListView.as_view(), name="orders"),
    path("orders/<uuid:order_id>", orders.OrderView.as_view(), name="order"),
    path("orders/<uuid:order_id>/cancel", orders.OrderCancelView.as_view(), name="order-cancel"),
    path("orders/<uuid:order_id>/events", orders.OrderEventListView.as_view(), name="order-events"),
    path("positions", holdings.PositionListView.as_view(), name="positions"),
    path("risk/decisions", risk.RiskDecisionListView.as_view(), name="risk-decisions"),
    path("risk/limits/<uuid:account_id>", risk.RiskLimitsView.as_view(), name="risk-limits"),
]
