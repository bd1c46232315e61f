"""Production: every URL and key comes from the environment, and all traffic is TLS."""

from finops.settings import env
from finops.settings.base import *  # noqa: F403  (a settings module is its base plus what differs)

BASE_URL = env.text("FINOPS_BASE_URL", required=True)
ALLOWED_HOSTS = env.items("FINOPS_ALLOWED_HOSTS")
if not ALLOWED_HOSTS:
    env.PROBLEMS.append("FINOPS_ALLOWED_HOSTS is not set.")
CSRF_TRUSTED_ORIGINS = [BASE_URL]
# The real hosts, except in a staging installation that asks for the sandbox twice (finops.E004).
ALLOW_SANDBOX = env.boolean("FINOPS_ALLOW_SANDBOX", False)

WHITENOISE_USE_FINDERS = False
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^api/"]  # refused instead: apps.core.middleware.tls
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 63_072_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"
# Rather than a cookie that has no such name.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
