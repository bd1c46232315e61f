"""Accounts, what is in them and who was granted single ones, as staff see them."""

from apps.accounts.admin import grants, records

__all__ = ["grants", "records"]
