"""The endpoints of the orders room, under /api/v1/."""

from django.urls import path

from apps.orders.api import kill_switch, risk

urlpatterns = [
    path("kill-switch", kill_switch.KillSwitchView.as_view(), name="kill-switch"),
    path("risk/decisions", risk.RiskDecisionListView.as_view(), name="risk-decisions"),
    path("risk/limits/<uuid:account_id>", risk.RiskLimitsView.as_view(), name="risk-limits"),
]
