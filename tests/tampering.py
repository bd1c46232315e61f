"""What somebody with the database's own powers does to its rows, past every trigger; and what verification says."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from apps.core import verification
from apps.core.verification import Check, Finding, Result
from tests.databases import as_owner


@contextmanager
def raw_tables() -> Iterator[psycopg.Connection[Any]]:
    """Connect to the test's database as the owner, without triggers and foreign keys; what is done commits."""
    with as_owner(connection.settings_dict["NAME"]) as owner:
        owner.execute("SET session_replication_role = replica")
        yield owner


def tamper(sql: str, *params: Any) -> None:
    """Change rows past everything that forbids it; exactly one statement that changes something."""
    with raw_tables() as owner:
        assert owner.execute(sql, params).rowcount > 0, sql


def verdicts(*names: str, tenant: str = "") -> list[Result]:
    """Run checks as the command does; return what each came to."""
    slugs = verification.tenants()
    wanted = [tenant_id for tenant_id, slug in slugs.items() if tenant in ("", slug)]
    steps = verification.verify(_chosen(names), tenant_ids=wanted, is_whole=not tenant)
    return [step for step in steps if step.verdict is not None]


def found(*names: str) -> list[tuple[str, str, str, str]]:
    """Return what checks find: table, row, what was expected and what is there."""
    results = verdicts(*names)
    assert [result.error for result in results if result.error] == []
    return [_told(finding) for result in results for finding in result.findings]


def looked_at(name: str) -> int:
    """Return how many things a check looks at, which finds nothing."""
    [result] = verdicts(name)
    assert [*map(_told, result.findings), result.error] == [""]
    return result.looked_at


def _chosen(names: Sequence[str]) -> list[Check]:
    checks = [check for check in verification.registered() if check.name in names]
    assert len(checks) == len(names), names
    return checks


def _told(finding: Finding) -> tuple[str, str, str, str]:
    return finding.table, finding.row, finding.expected, finding.found
