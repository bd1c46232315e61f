"""Whatever the document lets a client send, the answer is one that the document has; never an error of ours.

A request or a few to each operation, the same ones each time; `make fuzz` sends others for as long as one likes.
"""

import logging
from collections.abc import Iterator

import pytest

from tests.fuzz.engine import fuzz, served
from tests.matrix.routes import OPERATIONS
from tests.matrix.world import World

pytestmark = [pytest.mark.commits, pytest.mark.long]

SEED = 20260302
# The document itself and the pages that show it are none of its operations.
DOCUMENTED = len([route for route, _method in OPERATIONS if route.path not in ("docs", "redoc", "openapi.json")])


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Every refused request is logged; thousands of lines would hide what is found."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


# Whoever is nobody gets one answer nearly everywhere.
@pytest.mark.parametrize("caller", ["acme_admin", pytest.param("anonymous", marks=pytest.mark.prove)])
def test_every_answer_is_as_documented(caller: str, world: World) -> None:
    with served() as address:
        *_, report = fuzz(
            address, bearer=world.credentials[caller], seed=SEED, examples=1, phases=("examples", "fuzzing")
        )
    assert not report.findings, f"with seed {SEED}:\n" + "\n".join(map(str, report.findings.values()))
    assert report.errors == []
    assert len(report.tested) == DOCUMENTED
    assert {status for status in report.statuses if status >= 500} == set()
