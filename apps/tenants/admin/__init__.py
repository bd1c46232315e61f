"""The pages of the tenants room in the admin."""

from apps.tenants.admin import impersonations, keys, people, tenants

__all__ = ["impersonations", "keys", "people", "tenants"]  # importing them registers their pages
