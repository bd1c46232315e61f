"""Webhooks, as staff see and steer them: endpoints, the delivery log, and both on the pages of what they tell of."""

from apps.webhooks.admin import deliveries, elsewhere, endpoints

__all__ = ["deliveries", "elsewhere", "endpoints"]  # importing them registers their pages
