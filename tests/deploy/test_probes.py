"""Probes and metrics under the production settings, asked for by address; cookies and HSTS, for browsers."""

import json
import subprocess
import sys

from tests.deploy.test_settings import PRODUCTION, ROOT

ASK = """
import json
from django.test import Client, override_settings
from finops.wsgi import application
client, answers = Client(raise_request_exception=False), {}
# Nothing is collected here.
plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
override_settings(STORAGES={"staticfiles": plain}).enable()
for path in ("/livez", "/readyz", "/startupz", "/metrics", "/admin/login/", "/api/v1/tenant"):
    response = client.get(path, headers={"Host": "127.0.0.1:8000", "X-Request-ID": "probe-1"})
    answers[path] = [response.status_code, response.headers.get("X-Request-ID")]
secure = {"headers": {"Host": "finops.example.com", "X-Forwarded-Proto": "https"}}
cookies = client.get("/admin/login/", **secure).cookies
answers["cookies"] = [
    [name, *(cookie[kind] for kind in ("secure", "httponly", "samesite", "path", "domain"))]
    for name, cookie in cookies.items()
]
paths = ("/admin/", "/api/v1/tenant", "/api/v1/nothing", "/static/nothing")
answers["hsts"] = [client.get(path, **secure).headers.get("Strict-Transport-Security") for path in paths]
from django.conf import settings
kinds = ("NAME", "SECURE", "HTTPONLY", "SAMESITE", "PATH", "DOMAIN")
answers["session cookie"] = [getattr(settings, f"SESSION_COOKIE_{kind}") for kind in kinds]
over_http = {"headers": {"Host": "finops.example.com"}}
answers["a page over http"] = [client.get("/admin/?a=b", **over_http)["Location"], None]
refused = client.post("/api/v1/auth/token", {}, "application/json", **over_http)
answers["the API over http"] = [refused.status_code, refused.json()["code"]]
outside = client.get("/metrics", headers={"Host": "10.0.0.5"}, REMOTE_ADDR="203.0.113.9")
answers["/metrics from outside"] = [outside.status_code, None]
print(json.dumps(answers))
"""


HSTS = "max-age=63072000; includeSubDomains; preload"


def test_probes_answer_whatever_the_host_and_without_tls(process_environment: dict[str, str]) -> None:
    own = {name: process_environment[name] for name in ("DATABASE_URL", "REDIS_URL")}
    result = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env={**process_environment, **PRODUCTION, **own},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "/livez": [200, "probe-1"],
        "/readyz": [200, "probe-1"],
        "/startupz": [200, "probe-1"],
        "/metrics": [200, "probe-1"],
        "/admin/login/": [400, "probe-1"],
        "/api/v1/tenant": [403, "probe-1"],
        "cookies": [["__Host-csrf", True, True, "Lax", "/", ""]],
        "hsts": [HSTS] * 4,
        "session cookie": ["__Host-session", True, True, "Lax", "/", None],
        "a page over http": ["https://finops.example.com/admin/?a=b", None],
        "the API over http": [403, "tls_required"],
        "/metrics from outside": [404, None],
    }
