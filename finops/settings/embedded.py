"""One machine, real engines, provider sandboxes: what `make run` starts."""

from finops.settings import env
from finops.settings.base import *  # noqa: F403  (a settings module is its base plus what differs)

ALLOWED_HOSTS = env.items("FINOPS_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
SANDBOX_URL = env.text("FINOPS_SANDBOX_URL", "http://127.0.0.1:8010")
ALPACA_REQUESTS_PER_MINUTE = env.integer("FINOPS_ALPACA_REQUESTS_PER_MINUTE", 10_000)
# Short, so that the demo moves while one looks at it.
SYNC_INTERVAL_SECONDS = env.integer("FINOPS_SYNC_INTERVAL_SECONDS", 120)
# Visitors trade a paper account: room for many of them, and for the tour again and again.
RISK_MAX_OPEN_TRADES = env.integer("FINOPS_RISK_MAX_OPEN_TRADES", 20)
RISK_MAX_ORDERS_PER_MINUTE = env.integer("FINOPS_RISK_MAX_ORDERS_PER_MINUTE", 600)
EGRESS_ALLOW_LOOPBACK = True
# Letters are files.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = env.text("FINOPS_HOME", ".finops") + "/mail"
