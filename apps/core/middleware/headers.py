"""What every answer tells a browser that it may not do: Content-Security-Policy and its kin.

HSTS comes from Django's SecurityMiddleware, in production.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), "
    "gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
}


def _policy(**sources: str) -> str:
    """Return a policy that allows these sources and nothing else; nobody may frame the page or move its base."""
    allowed = dict.fromkeys(("default-src", "object-src", "base-uri", "frame-ancestors", "form-action"), "'none'")
    allowed |= {name.replace("_", "-"): value for name, value in sources.items()}
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


# Our own pages are text and a style sheet; answers of the API, and files, are no pages at all.
PLAIN = _policy(style_src="'self'", img_src="'self'")
# Alpine, of which the admin's theme is made, evaluates the expressions in its attributes. The theme's colours are the
# one style in the page itself: tests/core/test_headers.py tells their hash when a new release has changed them.
THEME_COLOURS = "'sha256-64MylAkp9yNRfknUFB4RKmiPq7+VHgi7QQO3EFUK6Ts='"
ADMIN = _policy(
    script_src="'self' 'unsafe-eval'",
    style_src=f"'self' {THEME_COLOURS}",
    img_src="'self' data:",
    font_src="'self'",
    connect_src="'self'",
    form_action="'self'",
)
SWAGGER = _policy(script_src="'self'", style_src="'self'", img_src="'self' data:", connect_src="'self'")
# Redoc makes style elements: an empty one, whose rules it adds as objects, and the one of its scrollbar.
REDOC_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
)
REDOC = _policy(
    script_src="'self'",
    style_src=f"'self' {REDOC_STYLES}",
    img_src="'self' data:",
    connect_src="'self'",
    worker_src="blob:",
)

# The longest prefix that fits is the last.
POLICIES = {"/": PLAIN, "/admin/": ADMIN, "/api/v1/docs": SWAGGER, "/api/v1/redoc": REDOC}


class SecurityHeadersMiddleware:
    """Put the headers on every answer, whoever made it; what an answer has of its own is left."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy_for(request.path_info))
        return response


def policy_for(path: str) -> str:
    """Return the policy of the pages under a path."""
    return [policy for prefix, policy in POLICIES.items() if path.startswith(prefix)][-1]
