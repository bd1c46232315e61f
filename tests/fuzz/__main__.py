"""Fuzz the API for a while: `make fuzz args="--seconds 600 --seed 7"`."""

import argparse
import logging
import os
import secrets
import sys
import time

CALLERS = ("acme_admin", "acme_user", "anonymous")


def main() -> int:
    """Print what is found; return 1 if anything is."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all callers together (600)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="random by default")
    parser.add_argument("--examples", type=int, default=100, help="at most, per operation and phase (100)")
    parser.add_argument("--as", dest="callers", choices=CALLERS, nargs="*", default=CALLERS)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    from tests import databases  # starts the engines

    os.environ["DJANGO_SETTINGS_MODULE"] = "finops.settings.test"
    import django

    django.setup()
    logging.disable(logging.CRITICAL)
    found = 0
    with databases.cloned_database() as name:
        found = _fuzz(name, options)
    return 1 if found else 0


def _fuzz(database: str, options: argparse.Namespace) -> int:
    from django.db import connections

    from tests import databases
    from tests.fuzz.engine import BUILDING_PHASES, PHASES
    from tests.matrix.world import build, number_pending

    databases.log_in("web", database)
    world = build(database)
    databases.log_in("worker", database)
    number_pending()
    databases.log_in("web", database)
    found, share = 0, options.seconds // (len(options.callers) * 2)
    for phases in (PHASES, BUILDING_PHASES):
        for caller in options.callers:
            found += _run(caller, world.credentials[caller], phases, share, options)
    connections.close_all()
    return found


def _run(caller: str, bearer: str, phases: tuple[str, ...], seconds: int, options: argparse.Namespace) -> int:
    from tests.fuzz.engine import BUILDING_PHASES, Report, fuzz, served

    began, report, shown = time.monotonic(), Report(), 0
    with served(commit=phases == BUILDING_PHASES) as address:
        for report in fuzz(
            address, bearer=bearer, seed=options.seed, examples=options.examples, phases=phases, seconds=seconds
        ):
            new = list(report.findings.values())[shown:]
            print(*new, sep="\n", end="\n" if new else "", flush=True)
            shown += len(new)
    requests, took = sum(report.statuses.values()), time.monotonic() - began
    print(f"{caller}, {', '.join(phases)}: {requests} requests to {len(report.tested)} operations in {took:.0f} s")
    print(f"    {dict(sorted(report.statuses.items()))}, {shown} findings", *report.errors, sep="\n", flush=True)
    return shown + len(report.errors)


if __name__ == "__main__":
    sys.exit(main())
