"""The pages of the tenants room in the admin."""

from apps.tenants.admin import keys, people, tenants

__all__ = ["keys", "people", "tenants"]  # importing them registers their pages
