"""What every installation shares. Values come from the environment; see `.env.example`."""

from pathlib import Path
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.backoffice.theme import UNFOLD as UNFOLD
from apps.core import permissions
from finops.settings import env

BASE_DIR = Path(__file__).resolve().parents[2]

SECRET_KEY = env.text("FINOPS_SECRET_KEY", required=True) or "unset"
SECRET_KEY_FALLBACKS = env.items("FINOPS_SECRET_KEY_FALLBACKS")  # accepted beside it while it is being replaced
DEBUG = False
ALLOWED_HOSTS = env.items("FINOPS_ALLOWED_HOSTS")
BASE_URL = env.text("FINOPS_BASE_URL", "http://127.0.0.1:8000")
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # the plain one puts its own site in the place of ours
    "apps.backoffice.apps.StaffAdminConfig",
    "apps.users",  # before Django's own users: the first app with a command of a name has it
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_celery_beat",
    "django_otp",
    "axes",
    "guardian",
    "apps.core",
    "apps.audit",
    "apps.outbox",
    "apps.jobs",
    "apps.idempotency",
    "apps.incidents",
    "apps.tenants",
    "apps.providers",
    "apps.market",
    "apps.accounts",
    "apps.orders",
    "apps.webhooks",
    "apps.ops",
    "apps.backoffice.apps.BackofficeConfig",
    "finops",
]

MIDDLEWARE = [
    "apps.core.middleware.headers.SecurityHeadersMiddleware",
    "apps.core.middleware.requests.TrustedProxyMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.core.middleware.requests.RequestContextMiddleware",
    "apps.core.middleware.requests.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.middleware.cors.CorsMiddleware",
    "apps.core.middleware.tls.TlsMiddleware",
    "apps.tenants.api.impersonation.ImpersonationMiddleware",
    "apps.core.api.limits.RateLimitMiddleware",
    "apps.core.middleware.bounds.BoundsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "finops.urls"
WSGI_APPLICATION = "finops.wsgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# One alias. A process logs in as finops_web or finops_worker; scopes (apps.core.scope) choose the runtime role.
# `migrate` and its kin log in as the owner: see manage.py.
DB_POOL_SIZE = env.integer("FINOPS_DB_POOL_SIZE", 0)
DB_PREPARE = env.boolean("FINOPS_DB_PREPARE", True)  # off behind a pooler that cannot keep prepared statements
STATEMENT_TIMEOUT_MS = env.integer("FINOPS_STATEMENT_TIMEOUT_MS", 30_000)


def database(entry: dict[str, Any]) -> dict[str, Any]:
    """Complete a database entry with the session time-outs and, where asked for, the pool."""
    options = dict(entry.get("OPTIONS", {}))
    options.setdefault("connect_timeout", "5")
    # For the statements of the hot path (apps.core.db.statements); Django's own are never prepared.
    options.setdefault("prepare_threshold", 5 if DB_PREPARE else None)
    timeouts = {
        "statement_timeout": 0 if OWNER_LOGIN else STATEMENT_TIMEOUT_MS,  # building an index takes its time
        "lock_timeout": 10_000,
        "idle_in_transaction_session_timeout": 60_000,
    }
    options["options"] = " ".join(f"-c {name}={value}" for name, value in timeouts.items())
    if DB_POOL_SIZE:
        # A pool that goes on trying by itself waits ever longer; given up early, the next request tries anew, so that
        # the service is back with the database.
        options["pool"] = {"min_size": 1, "max_size": DB_POOL_SIZE, "timeout": 5, "reconnect_timeout": 2}
    return {
        **entry,
        "ENGINE": "django.db.backends.postgresql",
        "OPTIONS": options,
        # A pooled connection goes back after each request; without the pool it is kept for the process's life.
        "CONN_MAX_AGE": 0 if DB_POOL_SIZE else None,
        "CONN_HEALTH_CHECKS": True,
    }


OWNER_LOGIN = env.boolean("FINOPS_OWNER_LOGIN", False)  # set by manage.py for the commands that migrate
WORKER_LOGIN = env.boolean("FINOPS_WORKER_LOGIN", False)  # set by manage.py for those that work on the queues' tables
DATABASE_OWNER = env.database("DATABASE_OWNER_URL", required=OWNER_LOGIN)
DATABASE_WORKER = env.database("DATABASE_WORKER_URL") if WORKER_LOGIN else {}
DATABASE_LOGIN = DATABASE_OWNER if OWNER_LOGIN else DATABASE_WORKER or env.database("DATABASE_URL", required=True)
DATABASES = {"default": database(DATABASE_LOGIN)}

REDIS_URL = env.text("REDIS_URL", required=True)
SHARED_STATE_SECONDS = 0.25  # Valkey counts as down when it has not answered for so long
BROKER_URL = env.text("BROKER_URL", REDIS_URL)

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "apps.backoffice.reach.InstallationBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None  # guardian would otherwise create a user of its own in post_migrate.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "apps.users.passwords.PasswordRule"}]
# Whether chosen passwords are compared with those of known breaches, by Have I Been Pwned's ranges.
BREACHED_PASSWORDS = env.boolean("FINOPS_BREACHED_PASSWORDS", True)
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
SESSION_COOKIE_HTTPONLY = True
SESSION_ENGINE = "apps.users.services.staff_sessions"
SESSION_COOKIE_AGE = 12 * 3600  # used or not
STAFF_IDLE_SECONDS = 30 * 60
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours in which failures count together
AXES_HANDLER = "apps.users.services.lockout.LockoutHandler"  # how long a lockout lasts
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "apps.users.services.lockout.place_of_request"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "otp_token", "otp"]  # not kept with failed attempts
AXES_LOCKOUT_CALLABLE = "apps.backoffice.identity.lockout.locked_out"
OTP_TOTP_ISSUER = "finops"

# Keys for what is encrypted or signed at rest: "id:base64,id:base64"; the first encrypts, all decrypt. Read from a
# file, they are what the file holds now (apps.core.keyrings).
FIELD_KEYS = env.text("FINOPS_FIELD_KEYS", required=True)
FIELD_KEYS_FILE = env.file_of("FINOPS_FIELD_KEYS")
TOKEN_KEYS = env.text("FINOPS_TOKEN_KEYS", required=True)
TOKEN_KEYS_FILE = env.file_of("FINOPS_TOKEN_KEYS")
# Sign the checkpoints of audit logs: the seeds of Ed25519 keys. Workers alone have them; the public halves are rows.
AUDIT_KEYS = env.text("FINOPS_AUDIT_KEYS")
AUDIT_KEYS_FILE = env.file_of("FINOPS_AUDIT_KEYS")
# The host in the names of audit logs, by default that of BASE_URL: to whoever verifies, another name is another log.
AUDIT_NAME = env.host("FINOPS_AUDIT_NAME")
# What staff call this version of the code: jobs remember under which they were enqueued and run.
RELEASE = env.text("FINOPS_RELEASE")[:40]
WITNESSES = env.items("FINOPS_WITNESS")
WITNESS_SECRET = env.text("FINOPS_WITNESS_SECRET")
WITNESS_RETAIN_DAYS = env.integer("FINOPS_WITNESS_RETAIN_DAYS", 3650)  # for how long a bucket locks a checkpoint
AUDIT_WAIT_SECONDS = 1  # how long a proof waits for the checkpoint that covers a new entry
ACCESS_TOKEN_SECONDS = 600
SESSION_SECONDS = 30 * 24 * 3600
SESSION_IDLE_SECONDS = 7 * 24 * 3600  # without a refresh
REAUTHENTICATION_SECONDS = env.integer("FINOPS_REAUTHENTICATION_SECONDS", 900)  # how long a proof is good
REFRESH_GRACE_SECONDS = 10  # a refresh token that was just exchanged gives the same next one again

# Letters: invitations and new passwords. Links with `{token}` to the pages of yours where they are accepted or chosen;
# empty, the letter tells how to do it through the API.
INVITATION_URL = env.text("FINOPS_INVITATION_URL")
PASSWORD_RESET_URL = env.text("FINOPS_PASSWORD_RESET_URL")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("EMAIL_PORT", 25, most=65_535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.boolean("EMAIL_USE_TLS", False)
EMAIL_TIMEOUT = 10  # seconds
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "finops@localhost")

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.tenants.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.core.api.permissions.HasRequiredPermission"],
    "DEFAULT_RENDERER_CLASSES": ["apps.core.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.api.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "apps.core.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "apps.core.api.exceptions.problem_handler",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,  # `?format=` is an unknown query parameter like any other
    "COERCE_DECIMAL_TO_STRING": True,
}
# Requests a second, at once and in flight, by what is counted. `sign_in` is by address, beside `address`, which holds
# for callers without credentials.
RATE_LIMITS = env.rates(
    "FINOPS_RATE_LIMITS",
    "key=100/200/100,user=100/200/100,tenant=500/1000/200,address=100/200/100,sign_in=20/100",
)

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "finops API",
    "DESCRIPTION": "Accounts, orders, webhooks, events and the audit log of one tenant.",
    "VERSION": "v1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # what a PATCH takes is a serializer of its own, which says what is required
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.core.api.schema.add_problem",
    ],
    # Where several resources have a field of the same name.
    "ENUM_NAME_OVERRIDES": {
        "ApiKeyModeEnum": "apps.tenants.enums.ApiKeyMode.values",
        "OrderModeEnum": ["paper", "live"],
        "OrderTypeEnum": ["market", "limit", "stop", "stop_limit"],
        "SyncStatusEnum": "apps.providers.enums.SyncStatus",
        "SyncTriggerEnum": "apps.providers.enums.SyncTrigger",
        "EndpointStatusEnum": "apps.webhooks.enums.EndpointStatus",
        "RecoveryStatusEnum": "apps.webhooks.enums.RecoveryStatus",
        "SigningEnum": "apps.webhooks.enums.Signing",
        "DecisionOutcomeEnum": ["approved", "denied"],
        "StepOutcomeEnum": ["right", "wrong", "notice"],
        "PermissionEnum": [str(permission) for permission in permissions.Permission],
        "RoleEnum": "apps.tenants.enums.Role.values",
        "GrantablePermissionEnum": sorted(permissions.GRANTABLE),
        "GrantedTypeEnum": ["account", "connection"],
        "SubjectTypeEnum": ["user", "api_key"],
        "CredentialTypeEnum": ["public-key"],
    },
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
# Served from the packages' own folders, so that nothing has to be collected; production collects and hashes.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
MAX_ADDRESS_LENGTH = 8_192  # path and query
MAX_QUERY_PARAMETERS = 100
MAX_HEADER_LENGTH = 16_384  # all fields together

# Where a provider's hosts are replaced by the sandbox's (embedded, tests); empty means the real hosts.
SANDBOX_URL = env.text("FINOPS_SANDBOX_URL")
ALLOW_SANDBOX = True
TELLER_CERTIFICATE = env.text("TELLER_CERTIFICATE_PATH")
TELLER_PRIVATE_KEY = env.text("TELLER_PRIVATE_KEY_PATH")
# What Teller signs its webhooks with: the application's, two while one is being replaced.
TELLER_WEBHOOK_SECRETS = env.items("TELLER_WEBHOOK_SECRETS")
# What Alpaca allows a key; the sandbox allows 10,000.
ALPACA_REQUESTS_PER_MINUTE = env.integer("FINOPS_ALPACA_REQUESTS_PER_MINUTE", 200)
SYNC_INTERVAL_SECONDS = env.integer("FINOPS_SYNC_INTERVAL_SECONDS", 6 * 3600)
SYNC_FAILURES_BEFORE_INCIDENT = env.integer("FINOPS_SYNC_FAILURES_BEFORE_INCIDENT", 3)

# Older than this, what the risk gate knows counts as not known; it is then asked for again, or the order is denied.
QUOTE_MAX_AGE_SECONDS = env.integer("FINOPS_QUOTE_MAX_AGE_SECONDS", 15)
CLOCK_MAX_AGE_SECONDS = env.integer("FINOPS_CLOCK_MAX_AGE_SECONDS", 30)
MEANS_MAX_AGE_SECONDS = env.integer("FINOPS_MEANS_MAX_AGE_SECONDS", 30)
MAX_CLOCK_OFFSET_MS = env.integer("FINOPS_MAX_CLOCK_OFFSET_MS", 2_000)

# The limits that a trading account starts with; PUT /risk/limits/{account_id} changes them.
RISK_MAX_OPEN_TRADES = env.integer("FINOPS_RISK_MAX_OPEN_TRADES", 2)
RISK_MAX_POSITION_VALUE = env.integer("FINOPS_RISK_MAX_POSITION_VALUE", 100_000)  # in the account's currency
RISK_MAX_CONCENTRATION_PERCENT = env.integer("FINOPS_RISK_MAX_CONCENTRATION_PERCENT", 30, most=100)
RISK_MAX_ORDERS_PER_MINUTE = env.integer("FINOPS_RISK_MAX_ORDERS_PER_MINUTE", 60)
# An approved order that could not be sent for longer than this is judged again before it is.
APPROVAL_FRESH_SECONDS = env.integer("FINOPS_APPROVAL_FRESH_SECONDS", 5)
# How long jobs are kept that succeeded or were discarded. Dead ones stay until staff replay or discard them.
JOBS_KEPT_DAYS = env.integer("FINOPS_JOBS_KEPT_DAYS", 90)
# How long deliveries of webhooks are kept that have ended, with their attempts. The database keeps attempts for 29.
WEBHOOKS_KEPT_DAYS = max(env.integer("FINOPS_WEBHOOKS_KEPT_DAYS", 90), 30)
# How long webhooks of providers are kept. For some days they send what did not arrive: until then it may come twice.
INBOX_KEPT_DAYS = max(env.integer("FINOPS_INBOX_KEPT_DAYS", 90), 30)
# How long engaging a kill switch waits for orders that are being sent; a send has a deadline of ten seconds.
KILL_SWITCH_WAIT_SECONDS = env.integer("FINOPS_KILL_SWITCH_WAIT_SECONDS", 15)

# What is called with the type and the JSON of each event that is emitted; the tests name one that checks them.
EVENTS_CHECKED_BY = ""

# Whether tenants' URLs may lead to this machine: for a demo and for tests, never in production.
EGRESS_ALLOW_LOOPBACK = False

# Which name servers are asked about hosts that tenants name, as (address, port); None: the system's.
EGRESS_NAME_SERVERS: list[tuple[str, int]] | None = None

# Pages of which origins (https://app.example.com) may read the API's answers; none by default.
CORS_ORIGINS = env.origins("FINOPS_CORS_ORIGINS")
# Who may read /metrics; loopback by default.
METRICS_ALLOWED_NETWORKS = env.networks("FINOPS_METRICS_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")
# Where a worker serves what its children count; 0: nowhere, since web shows it (PROMETHEUS_MULTIPROC_DIR).
METRICS_HOST = env.text("FINOPS_METRICS_HOST", "127.0.0.1")
METRICS_PORT = env.integer("FINOPS_METRICS_PORT", 0, most=65_535)
VERIFY_HOUR = env.integer("FINOPS_VERIFY_HOUR", 3, most=23)
# Whose X-Forwarded-For is believed; nobody's by default.
TRUSTED_PROXIES = env.networks("FINOPS_TRUSTED_PROXIES")

CELERY_BROKER_URL = BROKER_URL
# On RabbitMQ queues are replicated, and bounded: hints that nobody fetches push the oldest out.
QUEUE_ARGUMENTS: dict[str, Any] = {"x-queue-type": "quorum", "x-max-length": 10_000}
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"write_timeout": 5}
CELERY_BROKER_HEARTBEAT = 10
# A message for later (audit.sequence, once a process) keeps its place until then: quorum queues know no other way.
CELERY_WORKER_PREFETCH_MULTIPLIER = 8
CELERY_BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE = "classic"  # 28 queues that Celery makes and we do not use
if BROKER_URL.partition(":")[0] in {"redis", "rediss"}:
    CELERY_BROKER_TRANSPORT = "finops.broker:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 5}
    QUEUE_ARGUMENTS = {}
    CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "finops.beat:LeaderScheduler"
CELERY_WORKER_CONSUMER = "finops.consumer:Consumer"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # A task is only a hint to look at the job table; losing one loses nothing.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a broker may be away for an hour; beat and workers wait for it
CELERY_TASK_DEFAULT_QUEUE = "default"
# A worker takes from each queue in turn, unless --queues says otherwise. Jobs have theirs; relay and sequencer have one
# that no job waits in, behind a hint of every commit. A queue's exchange has its name; hints go without one
# (finops.celery.send_hint).
QUEUES = ("default", "sync", "webhooks", "orders", "market")
LOG_QUEUE = "logs"
CELERY_TASK_QUEUES = {
    name: {"exchange": name, "routing_key": name, "queue_arguments": QUEUE_ARGUMENTS} for name in (*QUEUES, LOG_QUEUE)
}

LOG_LEVEL = env.text("FINOPS_LOG_LEVEL", "INFO")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "context": {"()": "apps.core.logs.ContextFilter"},
        "redaction": {"()": "apps.core.logs.RedactionFilter"},
        "probes": {"()": "apps.core.logs.ProbeFilter"},
    },
    "formatters": {"json": {"()": "apps.core.logs.JsonFormatter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["context", "redaction"]}
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "propagate": False},
        "django.request": {"filters": ["probes"]},
        "httpx": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
LOGGING_CONFIG = "logging.config.dictConfig"
