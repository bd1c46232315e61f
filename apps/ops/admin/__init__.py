"""What staff see of the operations: verifications, and the clearing of many dead letters."""

from apps.ops.admin import clearings, verifications

__all__ = ["clearings", "verifications"]
