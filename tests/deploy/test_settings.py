"""Settings as an operator meets them: what is missing is named, production is strict, wrong roles do not start.

`make check` holds the settings of production to Django's deployment checks.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEY = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "finops.settings.production",
    "FINOPS_SECRET_KEY": "long-enough-and-random-for-a-test-of-the-production-settings-0123456789",
    "FINOPS_FIELD_KEYS": KEY,
    "FINOPS_TOKEN_KEYS": KEY,
    "FINOPS_BASE_URL": "https://finops.example.com",
    "FINOPS_ALLOWED_HOSTS": "finops.example.com",
    "DATABASE_URL": "postgresql://finops_web:x@127.0.0.1:1/finops",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def _run(*command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "HOME": "/"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# What manage.py tells the settings about the command that it runs.
_OUR_OWN = {"FINOPS_OWNER_LOGIN", "FINOPS_WORKER_LOGIN"}


@pytest.mark.no_database
def test_the_example_lists_every_setting_that_is_read() -> None:
    read = "".join(path.read_text() for path in (ROOT / "finops" / "settings").glob("*.py"))
    names = set(re.findall(r'env\.[a-z_]+\(\s*"([A-Z_]+)"', read))
    listed = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert len(names) > 50
    assert names - listed == _OUR_OWN


@pytest.mark.no_database
def test_everything_that_production_lacks_is_named_at_once() -> None:
    result = _run("manage.py", "check", environment={"DJANGO_SETTINGS_MODULE": "finops.settings.production"})
    assert result.returncode == 1
    for name in ("DATABASE_URL", "REDIS_URL", "FINOPS_SECRET_KEY", "FINOPS_FIELD_KEYS", "FINOPS_BASE_URL"):
        assert f"{name} is not set" in result.stderr
    assert result.stderr.count("(finops.E001)") >= 7


MALFORMED = {
    "DATABASE_URL": ("mysql//nope", "DATABASE_URL is not a PostgreSQL URL"),
    "FINOPS_FIELD_KEYS": ("k1:short", "FINOPS_FIELD_KEYS"),
    "FINOPS_DB_POOL_SIZE": ("many", "FINOPS_DB_POOL_SIZE must be a whole number, not 'many'"),
    "FINOPS_JOBS_KEPT_DAYS": ("-1", "FINOPS_JOBS_KEPT_DAYS must be a whole number, not '-1'"),
    "FINOPS_VERIFY_HOUR": ("24", "FINOPS_VERIFY_HOUR must be at most 23, not 24"),
    "FINOPS_TRUSTED_PROXIES": ("proxy", "FINOPS_TRUSTED_PROXIES must be networks such as 10.0.0.0/8, not 'proxy'"),
    "FINOPS_METRICS_ALLOWED_NETWORKS": ("10.0.0.1/8", "FINOPS_METRICS_ALLOWED_NETWORKS must be networks"),
    "FINOPS_AUDIT_NAME": ("old host", "FINOPS_AUDIT_NAME must be a host such as finops.example.com, not 'old host'."),
    "FINOPS_CORS_ORIGINS": ("https://ok.example,*", "FINOPS_CORS_ORIGINS must be origins such as https://app"),
    "FINOPS_METRICS_PORT": ("9808", "(finops.E005) FINOPS_METRICS_PORT is set without PROMETHEUS_MULTIPROC_DIR"),
    "FINOPS_SANDBOX_URL": ("http://sandbox:8010", "(finops.E004) FINOPS_SANDBOX_URL is set in production"),
    "FINOPS_SECRET_KEY_FILE": ("/nowhere", "FINOPS_SECRET_KEY and FINOPS_SECRET_KEY_FILE are both set"),
}


@pytest.mark.no_database
def test_each_malformed_value_is_named() -> None:
    malformed = {name: value for name, (value, _complaint) in MALFORMED.items()}
    result = _run("manage.py", "check", environment={**PRODUCTION, **malformed})
    assert result.returncode == 1
    assert [complaint for _value, complaint in MALFORMED.values() if complaint not in result.stderr] == []
    assert result.stderr.count("(finops.E") == len(MALFORMED)


@pytest.mark.no_database
def test_a_staging_installation_may_use_the_sandbox_and_nothing_else_reads_its_url() -> None:
    staging = {**PRODUCTION, "FINOPS_SANDBOX_URL": "http://sandbox:8010", "FINOPS_ALLOW_SANDBOX": "true"}
    script = "from django.conf import settings; from finops.checks import check_sandbox"
    script += "; print(repr(settings.SANDBOX_URL), check_sandbox())"
    assert _run("-c", script, environment=staging).stdout == "'http://sandbox:8010' []\n"
    assert _run("-c", script, environment=PRODUCTION).stdout == "'' []\n"


@pytest.mark.no_database
def test_secrets_are_read_from_mounted_files(tmp_path: Path) -> None:
    secret = tmp_path / "database_url"
    secret.write_text(PRODUCTION["DATABASE_URL"] + "\n")
    environment = {**PRODUCTION, "DATABASE_URL_FILE": str(secret)}
    del environment["DATABASE_URL"]
    result = _run(
        "-c",
        "from django.conf import settings; print(settings.DATABASES['default']['USER'])",
        environment=environment,
    )
    assert result.stdout.strip() == "finops_web"


def test_a_web_process_does_not_start_with_the_owners_login(process_environment: dict[str, str]) -> None:
    """With the web login it does: tests/deploy/test_probes starts one."""
    environment = {**process_environment, "DATABASE_URL": process_environment["DATABASE_OWNER_URL"]}
    result = _run("-c", "import finops.wsgi", environment=environment)
    assert result.returncode == 1
    assert "finops does not start" in result.stderr
    assert "owner" in result.stderr


@pytest.mark.no_database
def test_passwords_are_kept_by_argon2id_and_nothing_is_debugged_in_production() -> None:
    """Memory 100 MiB, two passes: more than OWASP's cheat sheet asks for (19 MiB, two passes)."""
    script = """
from django.conf import settings
from django.contrib.auth.hashers import make_password
print(make_password("a password of some length"))
print(settings.DEBUG, [template["OPTIONS"].get("debug") for template in settings.TEMPLATES])
"""
    result = _run("-c", script, environment=PRODUCTION)
    hashed, debugged = result.stdout.splitlines()
    assert hashed.startswith("argon2$argon2id$v=19$m=102400,t=2,p=8$"), result.stderr
    assert debugged == "False [None]"
