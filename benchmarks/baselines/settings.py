"""The embedded settings, with the peer's view beside ours."""

from finops.settings.embedded import *  # noqa: F403  (a settings module is its base plus what differs)

ROOT_URLCONF = "benchmarks.baselines.urls"
