"""What the back office adds to the rooms' pages, and pages of what other packages and the core store."""

from apps.backoffice.admin import dead_letters, granting, jobs, read_only, schedule, sign_ins

__all__ = ["dead_letters", "granting", "jobs", "read_only", "schedule", "sign_ins"]  # importing them registers pages
