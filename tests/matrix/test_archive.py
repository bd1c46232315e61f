"""A tenant leaves as files and comes back from them: all of it, only it, and nothing that is secret."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models

from apps.audit.leaf import compute_leaf_hash
from apps.audit.models import AuditEntry
from apps.core.models import TenantModel
from finops.archive import plan
from finops.archive.manifest import Manifest, read_manifest
from tests import databases
from tests.factories.users import make_user
from tests.matrix.world import World

pytestmark = pytest.mark.commits


def export(world_or_name: World | str, slug: str, folder: Path) -> str:
    """Export a tenant as the owner; return what the command says."""
    name = world_or_name if isinstance(world_or_name, str) else world_or_name.database
    said = StringIO()
    with logged_in_as_owner(name):
        call_command("export_tenant", slug, "--to", str(folder), stdout=said)
    return said.getvalue()


def restore(name: str, folder: Path, *options: str) -> str:
    said = StringIO()
    with logged_in_as_owner(name):
        call_command("import_tenant", str(folder), *options, stdout=said)
    return said.getvalue()


@contextmanager
def logged_in_as_owner(name: str) -> Iterator[None]:
    databases.log_in("owner", name)
    try:
        yield
    finally:
        databases.log_in("web", name)


@pytest.fixture(scope="module")
def archive(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of acme."""
    folder = tmp_path_factory.mktemp("archive") / "acme"
    export(world, "acme", folder)
    return folder


@pytest.fixture
def altered(archive: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(archive, tmp_path / "altered"))


def write_manifest(folder: Path, **changes: Any) -> None:
    """Write the manifest anew with these changes, and the hash that fits."""
    msgspec.structs.replace(read_manifest(folder), **changes).write(folder)


def rows_of(folder: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text().splitlines()]


def test_every_table_of_a_tenant_is_in_it_or_its_absence_has_a_reason(archive: Path) -> None:
    of_tenants = {model._meta.db_table for model in apps.get_models() if issubclass(model, TenantModel)}
    manifest = read_manifest(archive)
    exported = {entry.table for entry in manifest.tables}
    assert of_tenants - exported == of_tenants & plan.LEFT_OUT.keys()
    assert manifest.left_out == plan.LEFT_OUT
    assert {"tenants_tenant", "users_user", "market_instrument", "audit_entry", "audit_counter"} <= exported
    empty = [entry.table for entry in manifest.tables if entry.rows == 0]
    assert empty == []


def test_the_manifest_says_what_each_file_is(archive: Path) -> None:
    for entry in read_manifest(archive).tables:
        content = (archive / entry.file).read_bytes()
        assert (archive / entry.file).stat().st_mode & 0o777 == 0o600
        said = (entry.rows, entry.bytes, entry.sha256)
        assert said == (content.count(b"\n"), len(content), hashlib.sha256(content).hexdigest())


def test_it_holds_the_tenant_and_nobody_else(world: World, archive: Path) -> None:
    acme, globex = str(world.acme.tenant.id), str(world.globex.tenant.id)
    for entry in read_manifest(archive).tables:
        if "tenant_id" in entry.columns:
            assert {row["tenant_id"] for row in rows_of(archive, entry.table)} == {acme}
        assert globex not in (archive / entry.file).read_text()


def test_no_column_of_bytes_leaves_unless_it_is_known_to_be_open(archive: Path) -> None:
    of_bytes = {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField)
    }
    columns = {(entry.table, column) for entry in read_manifest(archive).tables for column in entry.columns}
    assert columns & of_bytes == plan.OPEN_BYTES
    assert ("users_user", "password") not in columns


def test_it_comes_back_as_it_was(world: World, archive: Path, tmp_path: Path) -> None:
    with databases.cloned_database() as empty:
        said = restore(empty, archive, "--sha256", read_manifest(archive).sha256)
        assert "Acme is restored: " in said
        export(empty, "acme", tmp_path / "again")
        for entry in read_manifest(archive).tables:
            assert (tmp_path / "again" / entry.file).read_bytes() == (archive / entry.file).read_bytes(), entry.table
        with psycopg.connect(databases.url("owner", empty)) as owner:
            secret = owner.execute("SELECT password, is_staff FROM users_user").fetchall()
            position = owner.execute(
                "SELECT max(position) < nextval('audit_entry_position') FROM audit_entry"
            ).fetchone()
        assert all(password.startswith("!") and not is_staff for password, is_staff in secret)
        assert position == (True,)
        with logged_in_as_owner(empty):
            entries = list(AuditEntry.objects.all())
            assert entries
            assert all(bytes(entry.leaf_hash) == compute_leaf_hash(entry) for entry in entries)
        with pytest.raises(CommandError, match=r"Nothing was imported. The tenant acme \(.*\) exists"):
            restore(empty, archive)
    databases.log_in("web", world.database)


def test_what_could_act_elsewhere_comes_back_at_rest(archive: Path) -> None:
    assert {row["status"] for row in rows_of(archive, "providers_connection")} <= {"needs_attention", "disabled"}
    assert {row["status"] for row in rows_of(archive, "providers_syncrun")} <= {"succeeded", "failed"}
    assert {row["status"] for row in rows_of(archive, "webhooks_endpoint")} == {"disabled"}
    assert "pending" not in {row["status"] for row in rows_of(archive, "webhooks_delivery")}
    assert None not in {row["revoked_at"] for row in rows_of(archive, "tenants_apikey")}


def test_an_altered_file_is_named(altered: Path, world: World) -> None:
    file = altered / "accounts_transaction.jsonl"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CommandError, match=r"accounts_transaction\.jsonl was altered"):
        restore(world.database, altered)


def test_a_missing_file_is_named(altered: Path, world: World) -> None:
    (altered / "audit_entry.jsonl").unlink()
    with pytest.raises(CommandError, match=r"audit_entry\.jsonl cannot be read: No such file"):
        restore(world.database, altered)


def test_an_altered_manifest_is_refused(altered: Path, world: World) -> None:
    manifest = altered / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"slug": "acme"', '"slug": "acne"'))
    with pytest.raises(CommandError, match=r"manifest.json was altered"):
        restore(world.database, altered)


def test_an_archive_that_somebody_else_made_is_told_by_its_hash(altered: Path, archive: Path, world: World) -> None:
    write_manifest(altered, slug="acne")
    with pytest.raises(CommandError, match="it is another archive"):
        restore(world.database, altered, "--sha256", read_manifest(archive).sha256)


def test_another_schema_is_refused(altered: Path, world: World) -> None:
    write_manifest(altered, schema={**read_manifest(altered).schema, "orders": "0002_later"})
    with pytest.raises(CommandError, match="another schema: migrations of orders"):
        restore(world.database, altered)


def test_rows_of_another_tenant_are_refused_and_nothing_is_written(altered: Path, world: World) -> None:
    """Whoever makes an archive with fitting hashes still writes into no other tenant."""
    file = altered / "incidents_incident.jsonl"
    file.write_text(file.read_text().replace(str(world.acme.tenant.id), str(world.globex.tenant.id)))
    manifest = read_manifest(altered)
    content = file.read_bytes()
    tables = [
        msgspec.structs.replace(entry, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        if entry.table == "incidents_incident"
        else entry
        for entry in manifest.tables
    ]
    write_manifest(altered, tables=tables)
    with databases.cloned_database() as empty:
        with pytest.raises(CommandError, match=r"incidents_incident\.jsonl holds rows of another tenant"):
            restore(empty, altered)
        with psycopg.connect(databases.url("owner", empty)) as owner:
            assert owner.execute("SELECT count(*) FROM tenants_tenant").fetchone() == (0,)
    databases.log_in("web", world.database)


def refit(folder: Path, table: str, content: bytes) -> None:
    """Give a table other content, and the manifest the hashes that fit."""
    (folder / f"{table}.jsonl").write_bytes(content)
    tables = [
        msgspec.structs.replace(
            entry, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), rows=content.count(b"\n")
        )
        if entry.table == table
        else entry
        for entry in read_manifest(folder).tables
    ]
    write_manifest(folder, tables=tables)


def test_staff_are_not_the_tenants_to_take_along(archive: Path) -> None:
    """Nor would it come back where staff of the same names are at work already."""
    assert {row["username"] for row in rows_of(archive, "users_user")} & {"acme-support"} == set()
    assert "acme-support" not in (archive / "users_user.jsonl").read_text()


def test_a_name_that_somebody_else_has_here_is_refused_in_words(archive: Path, world: World) -> None:
    with databases.cloned_database() as empty:
        with logged_in_as_owner(empty):
            make_user("acme-clerk")
        with pytest.raises(
            CommandError, match=r"Nothing was imported\. users_user\.jsonl .*acme-clerk.* already exists"
        ):
            restore(empty, archive)
        with psycopg.connect(databases.url("owner", empty)) as owner:
            assert owner.execute("SELECT count(*) FROM tenants_tenant").fetchone() == (0,)
    databases.log_in("web", world.database)


@pytest.mark.parametrize(
    "content",
    [
        b"not json\n",
        b"\xff\xfe\n",
        b'{"id": "no uuid"}\n',
        b"[" * 100_000 + b"\n",
        b'{"id": null}\n',
        b'{"id": "\\u0000"}\n',
    ],
    ids=["no json", "no utf-8", "no uuid", "deep", "empty", "nul"],
)
def test_rows_that_are_none_are_refused_in_words(altered: Path, world: World, content: bytes) -> None:
    refit(altered, "users_user", content)
    unfit = pytest.raises(CommandError, match=r"Nothing was imported\. users_user\.jsonl ")
    with databases.cloned_database() as empty, unfit:
        restore(empty, altered)
    databases.log_in("web", world.database)


@pytest.mark.parametrize("tenant_id", ["", "../acme", "00000000-0000-0000-0000-00000000000g"])
def test_a_manifest_of_no_tenant_is_refused(altered: Path, world: World, tenant_id: str) -> None:
    write_manifest(altered, tenant_id=tenant_id)
    with pytest.raises(CommandError, match=r"Nothing was imported\. manifest\.json "):
        restore(world.database, altered)


def test_a_folder_with_something_in_it_and_an_unknown_tenant_are_refused(
    archive: Path, world: World, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="is not empty"):
        export(world, "acme", archive)
    with pytest.raises(CommandError, match="There is no tenant 'initech'"):
        export(world, "initech", tmp_path / "new")


def test_a_manifest_is_made_of_what_it_says(archive: Path) -> None:
    manifest = read_manifest(archive)
    assert isinstance(manifest, Manifest)
    assert manifest.digest() == manifest.sha256
