"""What the import contracts cannot show: where writes happen, what may be referred to, and how big things get."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from apps.core.models import BaseModel
from apps.core.retention import Retention

pytestmark = pytest.mark.no_database

ROOT = Path(__file__).resolve().parents[2]
OURS = ["apps", "finops", "sandbox", "benchmarks"]
LAYERS = [
    "backoffice",
    "accounts",
    "providers",
    "tenants",
    "users",
    "incidents",
    ("audit", "outbox", "jobs", "idempotency"),
    "core",
]
RANK = {room: rank for rank, layer in enumerate(LAYERS) for room in (layer if isinstance(layer, tuple) else (layer,))}
WRITES = {
    "save",
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
}
# Where rows may be written: services, the sync engine they own, and the lower levels that are the mechanism itself.
WRITERS = ("services", "migrations", "models.py", "management")


def _files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def _our_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model.__module__.startswith("apps.")]


def test_files_stay_under_500_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _files(*OURS, "tests")}
    assert {name: lines for name, lines in long.items() if lines > 500 and "/migrations/" not in name} == {}


def test_functions_stay_under_60_lines() -> None:
    long = {}
    for path in _files(*OURS):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "/migrations/" not in str(path):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 60:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_rooms_have_no_grab_bags() -> None:
    forbidden = {"utils.py", "helpers.py", "signals.py", "misc.py", "common.py"}
    assert [str(path.relative_to(ROOT)) for path in _files(*OURS) if path.name in forbidden] == []


def test_rows_are_written_in_services_only() -> None:
    """`objects.<write>` or `<queryset>.<write>` outside of services is a leak."""
    leaks = []
    for path in _files("apps"):
        relative = path.relative_to(ROOT / "apps")
        if any(part in WRITERS or part.removesuffix(".py") in WRITERS for part in relative.parts[1:]):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
                chain = ast.unparse(node.func.value)
                if ".objects" in chain or "_default_manager" in chain or "queryset" in chain:
                    leaks.append(f"{relative}:{node.lineno} {chain}.{node.func.attr}")
    assert leaks == []


def test_references_point_downwards() -> None:
    """String foreign keys escape import-linter, so the models themselves are asked."""
    upwards = []
    for model in _our_models():
        for field in model._meta.get_fields():
            if not isinstance(field, models.ForeignKey):
                continue
            target = field.related_model
            assert isinstance(target, type)
            if target.__module__.startswith("apps.") and RANK[model._meta.app_label] > RANK[target._meta.app_label]:
                upwards.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    assert upwards == []


def test_every_model_names_its_retention_class() -> None:
    assert [m._meta.label for m in _our_models() if not isinstance(getattr(m, "retention", None), Retention)] == []


def test_personal_fields_exist_and_know_their_subject() -> None:
    for model in _our_models():
        assert issubclass(model, BaseModel)
        fields = model.personal_fields
        names = {field.name for field in model._meta.get_fields()}
        assert set(fields) <= names, model._meta.label
        assert not fields or model.data_subject, model._meta.label


def test_migrations_import_nothing_of_ours_but_the_database_building_blocks() -> None:
    foreign = []
    for path in sorted(ROOT.glob("apps/*/migrations/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in names
                if name.startswith(("apps.", "finops")) and not name.startswith("apps.core.db")
            ]
    assert foreign == []


def test_one_initial_migration_a_room() -> None:
    extra = [path for path in ROOT.glob("apps/*/migrations/0*.py") if path.name != "0001_initial.py"]
    assert extra == []


def test_nothing_speaks_of_this_workplace() -> None:
    words = ("/work" + "/", ".lib" + "rary", "farm-" + "bench", "farm-" + "studio")
    named = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in [
            *_files(*OURS, "tests"),
            *ROOT.glob("*.md"),
            *ROOT.glob("docs/**/*.md"),
            ROOT / "Makefile",
        ]
        for word in words
        if word in path.read_text()
    ]
    assert named == []
