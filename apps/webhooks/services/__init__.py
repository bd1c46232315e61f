"""Every write of the webhooks room."""

from apps.webhooks.services.deliveries import retry_delivery, send_test_event
from apps.webhooks.services.endpoints import (
    NewEndpoint,
    create_endpoint,
    delete_endpoint,
    update_endpoint,
    url_refused,
)
from apps.webhooks.services.failing import disable_gone_endpoint, look_after, watched_endpoints
from apps.webhooks.services.fanout import fan_out
from apps.webhooks.services.forgetting import forget_deliveries, forgettable_endpoints
from apps.webhooks.services.leasing import claim
from apps.webhooks.services.recovery import continue_recovery, enable_endpoint, push_recoveries, recover
from apps.webhooks.services.resending import MOST_IDS, LostFilter, Resent, retry_deliveries, retry_lost
from apps.webhooks.services.secrets import LONGEST_GRACE_SECONDS, WEBHOOK_SECRETS, forget_secrets, rotate_secret
from apps.webhooks.services.settling import settle

__all__ = [
    "LONGEST_GRACE_SECONDS",
    "MOST_IDS",
    "WEBHOOK_SECRETS",
    "LostFilter",
    "NewEndpoint",
    "Resent",
    "claim",
    "continue_recovery",
    "create_endpoint",
    "delete_endpoint",
    "disable_gone_endpoint",
    "enable_endpoint",
    "fan_out",
    "forget_deliveries",
    "forget_secrets",
    "forgettable_endpoints",
    "look_after",
    "push_recoveries",
    "recover",
    "retry_deliveries",
    "retry_delivery",
    "retry_lost",
    "rotate_secret",
    "send_test_event",
    "settle",
    "update_endpoint",
    "url_refused",
    "watched_endpoints",
]
