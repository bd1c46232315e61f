"""Checks that prove an installation: what each looks at, what it finds, and how they are run.

A room registers its checks in its `verification.py`, which `finops.apps` imports, so that rooms to come plug theirs in.
`manage.py verify` and the nightly run go through all of them.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.functional import Promise

from apps.core import clock
from apps.core.db.statements import Statement
from apps.core.scope import current_scope, snapshot_scope

logger = logging.getLogger(__name__)

# What is kept of one check's findings; all are counted.
KEPT_FINDINGS = 100
BATCH_ROWS = 2_000

Text = str | Promise


class Verdict(StrEnum):
    """What a check came to. A check that looked at nothing has proved nothing, and says so."""

    PASSED = "passed"
    NOTHING = "nothing"
    FINDINGS = "findings"
    BROKEN = "broken"


class Over(Enum):
    """What a check is run for."""

    TENANTS = "each tenant"
    INSTALLATION = "the installation"
    BOTH = "each tenant, and the installation's own"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: one tenant, or the installation; and when the run began."""

    tenant_id: UUID | None
    now: datetime

    @property
    def tenant(self) -> UUID:
        """Return the tenant, where a check is for tenants alone."""
        assert self.tenant_id is not None, "the check is not for the installation"
        return self.tenant_id

    @property
    def condition(self) -> tuple[str, list[UUID]]:
        """Return what a query says of the rows in question, and its parameters."""
        return ("tenant_id IS NULL", []) if self.tenant_id is None else ("tenant_id = %s", [self.tenant_id])


@dataclass(frozen=True, slots=True)
class Seen:
    """So many things more were looked at."""

    count: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, what was expected, what is there, and what to do about it.

    `row` is the row's id, or the name of what has none. It holds no personal data and no secret.
    """

    table: str
    row: str
    problem: Text
    expected: str
    found: str
    remedy: Text
    tenant_id: UUID | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return it as it is stored and printed."""
        tenant = None if self.tenant_id is None else str(self.tenant_id)
        texts = {name: str(getattr(self, name)) for name in ("table", "row", "problem", "expected", "found", "remedy")}
        return {"tenant_id": tenant, **texts}


Walk = Callable[[Subject], Iterator[Seen | Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its stable name ("orders.fold"); `proves` is one sentence, `things` names what it looks at.

    `walk` tells of progress and findings of one subject. It reads in snapshots, and yields between them: the run stores
    its progress meanwhile.
    """

    name: str
    title: Text
    proves: Text
    things: Text
    walk: Walk
    over: Over = Over.TENANTS


@dataclass(frozen=True, slots=True)
class Result:
    """How far a check has come; with a `verdict` it is over. `error` says why one could not be run."""

    check: Check
    looked_at: int = 0
    found: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    error: str = ""
    verdict: Verdict | None = None


@dataclass(slots=True)
class _Tally:
    """What one check has brought so far."""

    check: Check
    began: float = field(default_factory=monotonic)
    looked_at: int = 0
    found: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, brought: Seen | Finding) -> None:
        if isinstance(brought, Seen):
            self.looked_at += brought.count
            return
        self.found += 1
        if len(self.findings) < KEPT_FINDINGS:
            self.findings.append(brought)

    def result(self, verdict: Verdict | None = None, error: str = "") -> Result:
        seconds = round(monotonic() - self.began, 3)
        return Result(self.check, self.looked_at, self.found, tuple(self.findings), seconds, error, verdict)


_checks: dict[str, Check] = {}


def register(*checks: Check) -> None:
    """Have checks take part in every verification.

    Raises:
        TypeError: another check has the name.
    """
    for check in checks:
        known = _checks.setdefault(check.name, check)
        if known.walk is not check.walk:
            raise TypeError(f"a check named {check.name!r} is already registered")


def registered() -> list[Check]:
    """Return every check, by name."""
    return [_checks[name] for name in sorted(_checks)]


def verify(
    checks: Sequence[Check], *, tenant_ids: Sequence[UUID], is_whole: bool = True, now: datetime | None = None
) -> Iterator[Result]:
    """Run checks one after the other over these tenants and, `is_whole`, the installation's own.

    Yield how far each is, and at last its verdict.

    A check that cannot be run is BROKEN: nothing that was not looked at counts as proved.
    """
    for check in checks:
        subjects: list[UUID | None] = [] if check.over is Over.INSTALLATION else [*tenant_ids]
        if check.over is not Over.TENANTS and is_whole:
            subjects.append(None)
        yield from _run(check, [Subject(tenant_id, now or clock.now()) for tenant_id in subjects])


def _run(check: Check, subjects: Iterable[Subject]) -> Iterator[Result]:
    tally = _Tally(check)
    yield tally.result()
    try:
        for brought in _walk_all(check, subjects):
            tally.add(brought)
            yield tally.result()
    except Exception as error:  # Whatever stops a check is told: to pass over it would be to prove what was not seen.
        logger.exception("verification.check_broken", extra={"check": check.name})
        yield tally.result(Verdict.BROKEN, f"{type(error).__name__}: {error}"[:500])
        return
    seen = Verdict.PASSED if tally.looked_at else Verdict.NOTHING
    yield tally.result(Verdict.FINDINGS if tally.found else seen)


def _walk_all(check: Check, subjects: Iterable[Subject]) -> Iterator[Seen | Finding]:
    for subject in subjects:
        for brought in check.walk(subject):
            if current_scope() is not None:
                raise RuntimeError(f"check {check.name} yields inside a scope")
            if isinstance(brought, Finding) and brought.tenant_id is None:
                yield replace(brought, tenant_id=subject.tenant_id)
            else:
                yield brought


Row = dict[str, Any]
Judge = Callable[[Row], Iterable[Finding]]


def read(statement: Statement) -> list[Row]:
    """Return the rows of a query as dicts, in the open snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, statement.params)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def look(statement: Statement, judge: Judge) -> Iterator[Seen | Finding]:
    """Judge each row of a query that is small enough for one snapshot."""
    with snapshot_scope():
        rows = read(statement)
        findings = [finding for row in rows for finding in judge(row)]
    yield Seen(len(rows))
    yield from findings


def look_in_batches(
    sql: str, params: Sequence[Any], judge: Judge, *, key: str = "id", rows: int = BATCH_ROWS
) -> Iterator[Seen | Finding]:
    """Judge the rows of a query in batches, each of which is one snapshot.

    The query ends with two more placeholders: `WHERE ... AND {key} > %s ORDER BY {key} LIMIT %s`; its key is a UUID.
    """
    after = UUID(int=0)
    while True:
        with snapshot_scope():
            batch = read(Statement(sql, [*params, after, rows]))
            findings = [finding for row in batch for finding in judge(row)]
        yield Seen(len(batch))
        yield from findings
        if len(batch) < rows:
            return
        after = batch[-1][key]


def tenants() -> dict[UUID, str]:
    """Return every tenant's slug by its id, whatever its status."""
    with snapshot_scope():
        return {row["id"]: row["slug"] for row in read(Statement("SELECT id, slug FROM tenants_tenant ORDER BY slug"))}
