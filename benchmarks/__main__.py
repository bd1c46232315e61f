"""Run every benchmark, or those named."""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping

from benchmarks.platform import platform
from benchmarks.result import Result

Benchmark = Callable[[Mapping[str, str]], Iterator[Result]]


def main() -> None:
    """Print each result as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        choices=[
            "sync",
            "list",
            "orders",
            "rls",
            "replay",
            "relay",
            "webhooks",
            "isolation",
            "limits",
            "jobs",
            "verify",
            "audit",
            "lag",
            [],
        ],
        help="all by default",
    )
    names = parser.parse_args().names
    with platform() as environment:
        # In this process the platform is a worker: it runs the sync's jobs.
        os.environ.update({**environment, "DATABASE_URL": environment["DATABASE_WORKER_URL"]})
        for name, benchmark in _benchmarks().items():
            if not names or name in names:
                for result in benchmark(environment):
                    print(*result.lines(), sep="\n", flush=True)


def _benchmarks() -> dict[str, Benchmark]:
    import django

    django.setup()
    from benchmarks.audit import audit_benchmark
    from benchmarks.isolation import isolation_benchmark
    from benchmarks.jobs import jobs_benchmark
    from benchmarks.lag import lag_benchmark
    from benchmarks.limits import limits_benchmark
    from benchmarks.listing import list_benchmark
    from benchmarks.orders import orders_benchmark
    from benchmarks.relay import relay_benchmark
    from benchmarks.replay import replay_benchmark
    from benchmarks.rls import rls_benchmark
    from benchmarks.sync import sync_benchmark
    from benchmarks.verifying import verify_benchmark
    from benchmarks.webhooks import webhooks_benchmark

    return {
        "sync": sync_benchmark,
        "list": list_benchmark,
        "orders": orders_benchmark,
        "rls": rls_benchmark,
        "replay": replay_benchmark,
        "relay": relay_benchmark,
        "webhooks": webhooks_benchmark,
        "isolation": isolation_benchmark,
        "limits": limits_benchmark,
        "jobs": jobs_benchmark,
        "verify": verify_benchmark,
        "audit": audit_benchmark,
        "lag": lag_benchmark,
    }


if __name__ == "__main__":
    main()
