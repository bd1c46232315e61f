"""The test suite: the embedded engines, fast password hashing, no pool."""

from finops.settings.base import *  # noqa: F403  (a settings module is its base plus what differs)

ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALPACA_REQUESTS_PER_MINUTE = 10_000
SYNC_INTERVAL_SECONDS = 3600
WHITENOISE_AUTOREFRESH = True  # looks a file up when it is asked for: every test client would list them all
RATE_LIMITS = dict.fromkeys(RATE_LIMITS, (10_000, 100_000))  # all tests share an address
SHARED_STATE_SECONDS = 10  # a machine that is busy for a quarter of a second is no Valkey that is down
BREACHED_PASSWORDS = False  # the tests of it switch it on, with the sandbox
AUDIT_WAIT_SECONDS = 0  # no sequencer runs beside the tests
EGRESS_ALLOW_LOOPBACK = True
EGRESS_NAME_SERVERS = []  # nobody is asked: no name resolves but localhost
EVENTS_CHECKED_BY = "tests.event_schemas.check"  # every event that a test has emitted fits its schema
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
