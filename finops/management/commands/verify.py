"""`manage.py verify`: proves an installation, or says what is wrong with it. See docs/operations.md."""

import json
import sys
from argparse import ArgumentParser
from itertools import groupby
from time import monotonic
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.core import verification
from apps.core.verification import Finding, Over, Result, Verdict

SHOWN_FINDINGS = 20
_MARKS = {
    Verdict.PASSED: "ok",
    Verdict.NOTHING: "nothing to check",
    Verdict.FINDINGS: "FINDINGS",
    Verdict.BROKEN: "COULD NOT RUN",
}
_PROGRESS_SECONDS = 0.2


class Command(BaseCommand):
    help = (
        "Prove the installation: records against each other, queues, keys, and the database's own protection. It "
        "reads only, in short snapshots, and can run at any time. Exit code 1: there are findings; 2: a check could "
        "not be run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="what concerns this tenant alone")
        parser.add_argument("--only", action="append", metavar="NAME", help="this check; may be given several times")
        parser.add_argument("--list", action="store_true", help="list the checks, and run none")
        parser.add_argument("--json", action="store_true", help="one JSON document instead of the report")

    def handle(self, *_args: Any, **options: Any) -> None:
        checks = _chosen(options["only"])
        if options["list"]:
            for check in checks:
                self.stdout.write(f"{check.name:<32} {check.proves}")
            return
        slugs = verification.tenants()
        if options["tenant"]:
            slugs = {tenant_id: slug for tenant_id, slug in slugs.items() if slug == options["tenant"]}
            checks = [check for check in checks if check.over is not Over.INSTALLATION]
            if not slugs:
                raise CommandError(f"No tenant is called {options['tenant']}.")
        report = _Report(self, slugs, is_quiet=options["json"])
        steps = verification.verify(checks, tenant_ids=list(slugs), is_whole=not options["tenant"])
        results = [result for result in map(report.take, steps) if result]
        if options["json"]:
            self.stdout.write(json.dumps(_document(results, slugs), indent=2))
        else:
            report.conclude(results)
        sys.exit(exit_code(results))


def exit_code(results: list[Result]) -> int:
    """Return 2 where a check could not be run or none was, 1 where there are findings, else 0."""
    verdicts = {result.verdict for result in results}
    if not results or Verdict.BROKEN in verdicts:
        return 2
    return 1 if Verdict.FINDINGS in verdicts else 0


def _chosen(names: list[str] | None) -> list[verification.Check]:
    known = {check.name: check for check in verification.registered()}
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise CommandError(f"No check is called {', '.join(unknown)}. There are: {', '.join(known)}.")
    return [check for name, check in known.items() if not names or name in names]


def _document(results: list[Result], slugs: dict[UUID, str]) -> dict[str, Any]:
    return {
        "exit_code": exit_code(results),
        "tenants": len(slugs),
        "checks": [
            {
                "name": result.check.name,
                "title": str(result.check.title),
                "verdict": result.verdict,
                "looked_at": result.looked_at,
                "things": str(result.check.things),
                "seconds": result.seconds,
                "found": result.found,
                "error": result.error,
                "findings": [finding.as_json() for finding in result.findings],
            }
            for result in results
        ],
    }


class _Report:
    """Writes the report: on a terminal each check's line moves while it runs."""

    def __init__(self, command: Command, slugs: dict[UUID, str], *, is_quiet: bool) -> None:
        self._out, self._style, self._slugs, self._is_quiet = command.stdout, command.style, slugs, is_quiet
        self._is_moving = command.stdout.isatty() and not is_quiet
        self._last, self._began = 0.0, monotonic()

    def take(self, result: Result) -> Result | None:
        """Show a step; return the result once its check is over."""
        if result.verdict is None:
            if self._is_moving and monotonic() - self._last > _PROGRESS_SECONDS:
                self._last = monotonic()
                self._out.write(f"\r{self._line(result, '...')}", ending="")
                self._out.flush()
            return None
        if not self._is_quiet:
            self._tell(result)
        return result

    def _tell(self, result: Result) -> None:
        good = result.verdict in (Verdict.PASSED, Verdict.NOTHING)
        style = self._style.SUCCESS if good else self._style.ERROR
        self._out.write(
            ("\r" if self._is_moving else "") + self._line(result, _MARKS[Verdict(result.verdict or "")], style)
        )
        if result.error:
            self._out.write(f"    {result.error}")
        shown = result.findings[:SHOWN_FINDINGS]
        for remedy, findings in groupby(shown, key=lambda finding: str(finding.remedy)):
            for finding in findings:
                self._tell_finding(finding)
            self._out.write(f"    What to do: {remedy}")
        if result.found > SHOWN_FINDINGS:
            self._out.write(f"    and {result.found - SHOWN_FINDINGS:,} more")
        self._out.flush()

    def _line(self, result: Result, mark: str, style: Any = str) -> str:
        looked = f"{result.looked_at:,} {result.check.things}"
        return f"{result.check.name:<30} {looked:<34} {result.seconds:>8.2f} s  {style(mark)}"

    def _tell_finding(self, finding: Finding) -> None:
        of = f" of {self._slugs.get(finding.tenant_id, finding.tenant_id)}" if finding.tenant_id else ""
        self._out.write(f"  - {finding.table} {finding.row}{of}: {finding.problem}")
        self._out.write(f"      expected {finding.expected}; found {finding.found}")

    def conclude(self, results: list[Result]) -> None:
        """Write what all of it comes to."""
        looked, found = sum(result.looked_at for result in results), sum(result.found for result in results)
        broken = [result.check.name for result in results if result.verdict is Verdict.BROKEN]
        said = f"{len(results)} checks over {len(self._slugs):,} tenants looked at {looked:,} things "
        said += f"in {monotonic() - self._began:.1f} s: {found:,} findings"
        said += f", and these could not be run: {', '.join(broken)}." if broken else "."
        self._out.write((self._style.ERROR if found or broken else self._style.SUCCESS)(said))
