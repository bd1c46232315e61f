"""What the import contracts cannot show: where writes happen, what may be referred to, and how big things get."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

from apps.core.models import BaseModel
from apps.core.retention import Retention
from tests.architecture.sources import ROOT, files, nodes_of

pytestmark = pytest.mark.no_database

OURS = ["apps", "finops", "sandbox", "benchmarks"]
LAYERS = [
    "backoffice",
    ("ops", "webhooks"),
    "orders",
    "accounts",
    "market",
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
    "save_next",
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
}
# Django has no other methods of these names that we call: whatever they are called on is a row or a queryset.
INSTANCE_WRITES = {"save", "save_next", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create"}
SQL_WRITE = re.compile(r"\b(INSERT\s+INTO|UPDATE\s+\S+\s+(AS\s+\w+\s+)?SET|DELETE\s+FROM)\b")
# Where rows may be written: services, and the few places that are the mechanism itself.
WRITERS = (
    "*/services.py",
    "*/services/*",
    "*/services/*/*",
    "*/migrations/*",
    "accounts/sync/*",  # the set-based statements of a sync
    "core/models.py",  # `save_next`, which is of services like any `save`
    "core/db/statements.py",  # makes statements of rows, for services to send
    "core/sequencing.py",  # numbers the rows of audit log and outbox
)


def _files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from files(folder)


def _our_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model.__module__.startswith("apps.")]


def test_files_stay_under_500_lines() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _files(*OURS, "tests")}
    assert {name: lines for name, lines in long.items() if lines > 500 and "/migrations/" not in name} == {}


def test_functions_stay_under_60_lines() -> None:
    long = {}
    for path in _files(*OURS):
        for node in nodes_of(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "/migrations/" not in str(path):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > 60:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_rooms_have_no_grab_bags() -> None:
    forbidden = {"utils.py", "helpers.py", "signals.py", "misc.py", "common.py"}
    assert [str(path.relative_to(ROOT)) for path in _files(*OURS) if path.name in forbidden] == []


def _writes(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of each call that writes rows, and of each statement that does."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            chain = ast.unparse(node.func.value)
            of_rows = any(word in chain for word in (".objects", "_default_manager", "queryset", ".filter("))
            if of_rows or node.func.attr in INSTANCE_WRITES:
                yield node.lineno, f"{chain}.{node.func.attr}"
        elif isinstance(node, ast.JoinedStr | ast.Constant):
            statement = SQL_WRITE.search(_text(node))
            if statement:
                yield node.lineno, statement.group()


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    """Return a literal's text, with ? for each value that an f-string puts in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "?" for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def test_rows_are_written_in_services_only() -> None:
    """A row is saved, deleted, or written by SQL in services; anywhere else that is a leak."""
    leaks = []
    for path in _files("apps"):
        relative = path.relative_to(ROOT / "apps")
        if not any(relative.match(pattern) for pattern in WRITERS):
            leaks += [f"{relative}:{line} {words}" for line, words in _writes(nodes_of(path))]
    assert leaks == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("run.save(update_fields=['status'])", ["run.save"]),
        ("tenant.save_next('name', now=now)", ["tenant.save_next"]),
        ("connection.delete()", ["connection.delete"]),
        ("Job.objects.filter(id=1).update(state='dead')", ["Job.objects.filter(id=1).update"]),
        ("cursor.execute('DELETE FROM jobs_job')", ["DELETE FROM"]),
        ("cursor.execute(f'UPDATE {table} SET state = 1')", ["UPDATE ? SET"]),
        ("seen.update(more); digest.update(part); 'Update it'", []),
    ],
)
def test_the_search_for_writes_finds_them(code: str, words: list[str]) -> None:
    assert [found for _line, found in _writes(ast.walk(ast.parse(code)))] == words


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
        for node in nodes_of(path):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign += [
                f"{path.relative_to(ROOT)}: {name}"
                for name in names
                if name.startswith(("apps.", "finops")) and not name.startswith("apps.core.db")
            ]
    assert foreign == []


def test_one_initial_migration_a_room() -> None:
    """Until the first release there is no database to migrate: the one migration is rewritten. Then this test goes."""
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
