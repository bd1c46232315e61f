"""The sources as trees, each parsed once a process."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files(folder: str) -> list[Path]:
    """Return the modules below a folder, by name."""
    return sorted((ROOT / folder).rglob("*.py"))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Return all nodes of a module's tree."""
    return list(ast.walk(ast.parse(path.read_text())))
