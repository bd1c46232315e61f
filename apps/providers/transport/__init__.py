"""The one way out to providers: time-outs, classified retries, limiter, breaker, redaction, metrics."""

from apps.providers.transport.call import CallPolicy
from apps.providers.transport.classification import Blame, Verdict, default_verdict, retry_after_header
from apps.providers.transport.client import ProviderClient

__all__ = ["Blame", "CallPolicy", "ProviderClient", "Verdict", "default_verdict", "retry_after_header"]
