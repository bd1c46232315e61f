"""`manage.py rotate_keys`: everything that is sealed moves under the new key, and the old one goes when it may."""

import ast
import base64
import json
import os
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models

from apps.audit.models import AuditEntry
from apps.audit.opening import open_entries
from apps.core import clock, crypto
from apps.core.actor import system_actor
from apps.core.keyrings import keys_of
from apps.core.scope import tenant_scope, write_scope
from apps.idempotency.services import find_answer, keep_answer, take_key
from apps.idempotency.types import Answer
from apps.providers.credentials import open_sealed
from apps.providers.models import Credentials
from apps.tenants.models import Invitation, Tenant
from apps.tenants.services.invitations import open_token
from apps.users.models import Authenticator, RefreshToken, User
from apps.users.services import refresh_session, start_session
from apps.users.services.factors import new_authenticator
from apps.users.types import Origin
from apps.webhooks import signing
from apps.webhooks.models import EndpointSecret
from apps.webhooks.types import SigningKey
from finops import seals
from finops.embedded.home import Home
from tests.factories.providers import make_connection
from tests.factories.tenants import make_invitation
from tests.factories.webhooks import make_endpoint

pytestmark = pytest.mark.worker_login

OLD = "k1:" + base64.b64encode(b"1" * 32).decode()
APPS = Path(__file__).resolve().parents[2] / "apps"


@pytest.fixture
def home(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An embedded home, whose rings are files with one old key each."""
    home = Home(tmp_path)
    monkeypatch.setenv("FINOPS_HOME", str(tmp_path))
    settings.FIELD_KEYS_FILE = str(home.key_file("field_keys", lambda: OLD))
    settings.TOKEN_KEYS_FILE = str(home.key_file("token_keys", lambda: OLD))
    settings.AUDIT_KEYS_FILE = str(home.key_file("audit_keys", lambda: OLD))
    return home


def rotate_keys(*arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and what it says."""
    said, code = StringIO(), 0
    try:
        call_command("rotate_keys", *arguments, stdout=said)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, said.getvalue()


def pass_overlap(home: Home) -> None:
    """Let the rings have been changed eleven minutes ago."""
    long_ago = (clock.now() - timedelta(minutes=11)).timestamp()
    for file in (home.path / "keys").iterdir():
        os.utime(file, (long_ago, long_ago))


def seal_one_of_each(tenant: Tenant) -> Callable[[], dict[str, str]]:
    """Have something sealed in every table; return what opens all of it again."""
    now, origin = clock.now(), Origin(ip="127.0.0.1", user_agent="", request_id="")
    made = make_connection(tenant, "test_tkn_sealed")
    endpoint = make_endpoint(tenant)
    invitation, token = make_invitation(tenant, "neo@example.com", "viewer")
    trinity = User.objects.create_user("trinity")
    device = new_authenticator(user=trinity, name="phone", confirmed=True, now=now, seed=b"a seed of trinity...")
    session = start_session(user=trinity, tenant_id=tenant.id, origin=origin, now=now)
    following = refresh_session(refresh=session.refresh, origin=origin, now=now)
    assert following is not None
    with write_scope(system_actor("tests", tenant_id=tenant.id)):
        take_key(key="once", fingerprint=b"f" * 32, now=now)
        keep_answer(key="once", answer=Answer(status=201, headers={}, body=b"secret"), secret=True, now=now)

    def open_all() -> dict[str, str]:
        replaced = RefreshToken.objects.get(session=session.session, replaced_at__isnull=False)
        assert replaced.successor is not None
        seed = Authenticator.objects.get(id=device.id).seed.decode()
        with tenant_scope(tenant.id):
            secret = EndpointSecret.objects.get(endpoint_id=endpoint.endpoint.id)
            owner: dict[str, Any] = {"tenant_id": tenant.id, "endpoint_id": endpoint.endpoint.id, "kind": secret.kind}
            answer = find_answer(key="once", fingerprint=b"f" * 32, now=now)
            assert answer is not None
            successor = crypto.decrypt(bytes(replaced.successor), bound_to=replaced.successor_bound_to()).decode()
            return {
                "credentials": open_sealed(Credentials.objects.get(connection=made))["access_token"],
                "webhook secrets": signing.shown(
                    SigningKey(secret.kind, signing.open_sealed(secret.ciphertext, **owner))
                ),
                "authenticator seeds": seed,
                "refresh successors": "the next" if successor == following.refresh else successor,
                "waiting letters": open_token(Invitation.objects.get(id=invitation.id)),
                "kept answers": answer.body.decode(),
                "keys of data subjects": open_entries(AuditEntry.objects.filter(action="session.started"))[0].label,
            }

    assert open_all() == {
        "credentials": "test_tkn_sealed",
        "webhook secrets": endpoint.secret,
        "authenticator seeds": "a seed of trinity...",
        "refresh successors": "the next",
        "waiting letters": token,
        "kept answers": "secret",
        "keys of data subjects": "trinity",
    }
    return open_all


def test_a_rotation_from_its_first_command_to_its_last(acme: Tenant, home: Home) -> None:
    open_all = seal_one_of_each(acme)
    everything = open_all()
    _code, said = rotate_keys("--new")
    new = next(iter(keys_of("FIELD_KEYS")))
    assert list(keys_of("FIELD_KEYS")) == list(keys_of("TOKEN_KEYS")) == [new, "k1"]
    assert said == (
        f"FINOPS_FIELD_KEYS: {new} is the current key of every process from now on.\n"
        f"FINOPS_TOKEN_KEYS: {new} is the current key of every process from now on.\n"
        f"FINOPS_AUDIT_KEYS: {new} is the current key of every process from now on.\n"
        "Next: manage.py rotate_keys\n"
    )
    code, said = rotate_keys("--status")
    assert code == 1
    assert f"field {new} (current): nothing\n" in said
    each = "1 credentials, 1 webhook secrets, 1 authenticator seeds, 1 refresh successors, "
    each += "1 waiting letters, 1 kept answers, 1 keys of data subjects"
    assert f"field k1 (old): {each}\n" in said
    assert "FINOPS_FIELD_KEYS: 7 rows are left; k1 must stay. Run rotate_keys again.\n" in said
    with pytest.raises(CommandError, match="7 rows are under other keys"):
        rotate_keys("--retire")

    code, said = rotate_keys()
    assert code == 0
    assert (
        "credentials: 1 moved\nwebhook secrets: 1 moved\nauthenticator seeds: 1 moved\nrefresh successors: 1 moved\n"
        in said
    )
    assert f"field {new} (current): {each}\nfield k1 (old): nothing\n" in said
    with pytest.raises(CommandError, match="its old keys are needed until"):
        rotate_keys("--retire")
    pass_overlap(home)
    _code, said = rotate_keys("--retire")
    assert said.count("k1 is retired. Backups from before still need it.") == 3
    assert list(keys_of("FIELD_KEYS")) == list(keys_of("TOKEN_KEYS")) == list(keys_of("AUDIT_KEYS")) == [new]
    assert open_all() == everything
    assert rotate_keys()[1].count("nothing to retire") == 3


def test_what_is_passed_over_is_counted_and_the_exit_code_says_so(acme: Tenant, home: Home) -> None:
    broken, _sound = make_connection(acme), make_connection(acme, "test_tkn_second")
    with tenant_scope(acme.id):
        Credentials.objects.filter(connection=broken).update(ciphertext=b"k1|garbage-that-no-key-opens")
    rotate_keys("--new")
    code, said = rotate_keys()
    assert code == 1
    assert "credentials: 1 moved, 1 passed over\n" in said
    assert "field k1 (old): 1 credentials\n" in said


def test_one_ring_may_be_rotated_alone(home: Home) -> None:
    rotate_keys("--new", "--only", "token")
    assert (len(keys_of("TOKEN_KEYS")), len(keys_of("FIELD_KEYS"))) == (2, 1)


def test_a_process_without_the_ring_that_signs_checkpoints_rotates_the_others(home: Home, settings: Any) -> None:
    settings.AUDIT_KEYS = settings.AUDIT_KEYS_FILE = ""
    assert "AUDIT" not in rotate_keys("--new")[1]
    assert "AUDIT" not in rotate_keys()[1]


def test_rings_of_a_secret_store_go_to_a_file_of_their_owner_and_never_into_a_pipe(
    tmp_path: Path, settings: Any
) -> None:
    with pytest.raises(CommandError, match="this is no terminal: name a file with --to"):
        rotate_keys("--new", "--only", "field")
    file = tmp_path / "rings"
    _code, said = rotate_keys("--new", "--only", "field", "--to", str(file))
    assert settings.FIELD_KEYS not in said
    assert file.stat().st_mode & 0o777 == 0o600
    added, promoted = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    old, new = added.removeprefix("FINOPS_FIELD_KEYS=").split(",")
    assert (old, promoted) == (settings.FIELD_KEYS, f"FINOPS_FIELD_KEYS={new},{old}")
    with pytest.raises(CommandError, match="exists; name a new file"):
        rotate_keys("--new", "--only", "field", "--to", str(file))
    settings.FIELD_KEYS = f"{new},{old}"
    retired = tmp_path / "retired"
    rotate_keys("--retire", "--only", "field", "--to", str(retired))
    assert retired.read_text() == f"FINOPS_FIELD_KEYS={new}\n"


def test_djangos_secret_is_replaced_and_the_old_one_still_accepted(home: Home, settings: Any) -> None:
    settings.SECRET_KEY = home.secret("secret_key", nbytes=48)
    assert "a fallback, when the platform starts next" in rotate_keys("--new", "--only", "secret")[1]
    stored = json.loads((home.path / "secrets.json").read_text())
    assert stored["secret_key"] != settings.SECRET_KEY
    assert stored["secret_key_fallbacks"] == settings.SECRET_KEY


# What a passkey's public key and its challenge are: told to anybody who asks. Hashes of a tree, and who signs it.
PUBLIC = {"users_passkey", "users_passkeychallenge", "audit_tile", "audit_batch_chunk", "audit_checkpointkey"}
# Bytes as a provider sent them, which hold ids and no credential.
AS_SENT = {"providers_inboundhook", "providers_refusedhook"}


def test_every_column_of_bytes_is_a_hash_or_public_or_its_table_is_listed() -> None:
    listed = {table.table for table in seals.SEALED_TABLES}
    of_bytes = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField) and not str(field.column).endswith(("_hash", "fingerprint"))
    }
    assert {table for table, _column in of_bytes} - PUBLIC - AS_SENT == listed


def test_whatever_is_encrypted_is_listed() -> None:
    rooms = set()
    for path in APPS.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        if any(node.attr == "encrypt" and ast.unparse(node.value) == "crypto" for node in calls):
            rooms.add(path.relative_to(APPS).parts[0])
    assert {table.reseal.__module__.split(".")[1] for table in seals.SEALED_TABLES} == rooms
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [[t.table for t in seals.SEALED_TABLES]])
        assert len(cursor.fetchall()) == len(seals.SEALED_TABLES)
