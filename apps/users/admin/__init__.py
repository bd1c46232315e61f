"""The pages of the users room in the admin."""

from apps.users.admin import factors, people, sessions

__all__ = ["factors", "people", "sessions"]  # importing them registers their pages
