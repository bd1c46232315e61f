"""App configuration of the project itself: system checks and management commands."""

from django.apps import AppConfig


class FinopsConfig(AppConfig):
    name = "finops"
    label = "finops"

    def ready(self) -> None:
        from finops import checks  # noqa: F401  (registers the system checks)
