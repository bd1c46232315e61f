"""What the room counts."""

from prometheus_client import Counter

HOOKS = Counter(
    "finops_inbound_hooks_total", "Webhooks that came from providers, or from strangers", ["provider", "outcome"]
)
