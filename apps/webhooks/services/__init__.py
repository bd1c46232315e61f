"""Every write of the webhooks room."""

from apps.webhooks.services.deliveries import recover, retry_delivery, send_test_event
from apps.webhooks.services.endpoints import (
    GONE,
    NewEndpoint,
    create_endpoint,
    delete_endpoint,
    disable_gone_endpoint,
    update_endpoint,
    url_refused,
)
from apps.webhooks.services.fanout import fan_out
from apps.webhooks.services.leasing import claim, settle
from apps.webhooks.services.secrets import LONGEST_GRACE_SECONDS, WEBHOOK_SECRETS, forget_secrets, rotate_secret

__all__ = [
    "GONE",
    "LONGEST_GRACE_SECONDS",
    "WEBHOOK_SECRETS",
    "NewEndpoint",
    "claim",
    "create_endpoint",
    "delete_endpoint",
    "disable_gone_endpoint",
    "fan_out",
    "forget_secrets",
    "recover",
    "retry_delivery",
    "rotate_secret",
    "send_test_event",
    "settle",
    "update_endpoint",
    "url_refused",
]
