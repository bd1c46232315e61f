"""One machine, real engines, provider sandboxes: what `make run` starts."""

from finops.settings import env
from finops.settings.base import *  # noqa: F403  (a settings module is its base plus what differs)

ALLOWED_HOSTS = env.items("FINOPS_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
SANDBOX_URL = env.text("FINOPS_SANDBOX_URL", "http://127.0.0.1:8010")
# Short, so that the demo moves while one looks at it.
SYNC_INTERVAL_SECONDS = env.integer("FINOPS_SYNC_INTERVAL_SECONDS", 120)
