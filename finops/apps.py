"""App configuration of the project itself: system checks and management commands."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class FinopsConfig(AppConfig):
    name = "finops"
    label = "finops"

    def ready(self) -> None:
        # Registers the system checks, and installs the hook that wakes workers after a commit.
        from finops import celery, checks  # noqa: F401
        from finops.wiring import resources, usage

        usage.install()
        resources.install()
        autodiscover_modules("verification")  # each registers the checks that prove its room
