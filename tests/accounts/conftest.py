"""Fixtures of the accounts tests."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.accounts.bank import Bank
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def bank(sandbox: SandboxProcess) -> Iterator[Bank]:
    """An enrolment of the test's own, at a bank where nothing happens by itself."""
    sandbox.control("POST", "/clock", running=False)
    yield Bank(sandbox, f"t-{uuid4().hex[:12]}")
    sandbox.clear_faults()
    sandbox.control("POST", "/clock", running=True)
