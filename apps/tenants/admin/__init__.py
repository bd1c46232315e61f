"""The pages of the tenants room in the admin."""

from apps.tenants.admin import impersonations, keys, people, roles, tenants

__all__ = ["impersonations", "keys", "people", "roles", "tenants"]  # importing them registers their pages
