"""What the request limits add to a request: both buckets and both slots of a caller.

They are taken in one trip, and given back without waiting for an answer. The peer is one bare INCR in Valkey.
"""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from uuid import uuid4

import redis

from apps.core.shared import gcra
from apps.core.shared.gcra import Bucket, Slots
from benchmarks.result import Result

REQUESTS = 5_000
ROUNDS = 3


def limits_benchmark(environment: Mapping[str, str]) -> Iterator[Result]:
    """Measure admissions a second of one thread, and round trips of the same client."""
    client = redis.Redis.from_url(environment["REDIS_URL"])
    whose = uuid4()
    buckets = [
        Bucket.of(f"finops:{{bench}}:{name}:{whose}", requests=10**6, seconds=1, burst=10**6)
        for name in ("key", "tenant")
    ]
    slots = [Slots(f"{bucket.key}:in-flight", 100) for bucket in buckets]

    def request() -> None:
        gcra.release(slots, gcra.admit(buckets, part="bench", slots=slots).lease, part="bench")

    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(_per_second(request))
        peer.append(_per_second(lambda: client.incr(f"finops:bench:{whose}")))
    yield Result(name="limits", unit="requests/s", ours=ours, peer=peer)


def _per_second(call: Callable[[], object]) -> float:
    started = perf_counter()
    for _ in range(REQUESTS):
        call()
    return REQUESTS / (perf_counter() - started)
