"""What survives a restart, a kill at any instant and a torn write: everything."""

import contextlib
import json
import threading
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bank
from tests.sandbox.test_frame import run
from tests.sandbox_process import SandboxProcess, free_port

pytestmark = pytest.mark.no_database
DAY = 86_400


def truth(bank: Any) -> dict[str, Any]:
    state: dict[str, Any] = bank.state()
    state.pop("virtual_now")
    return state


@pytest.mark.parametrize("kill", [False, True])
def test_everything_survives(own_sandbox: SandboxProcess, own_bank: Bank, kill: bool) -> None:
    own_sandbox.control("POST", "/clock", running=False)
    early, late = own_bank("early"), own_bank("late")
    account = early.account()
    own_sandbox.advance(3 * DAY)
    added = early.steer(account, "add", amount="-41.10", description="COFFEE BEANS")
    own_sandbox.advance(2 * DAY)
    early.steer(account, "post", transaction_id=added["id"], amount="-42.00")
    late.steer(late.account("credit_card"), "add", amount="12.00", status="posted")
    own_sandbox.fault("status:503", count=3, match="GET /nothing")
    own_sandbox.fault("throttle", rate=0.25, match="GET /nothing")
    httpx.get(f"{own_sandbox.url}/teller/nothing", verify=False)
    before = truth(early), truth(late), own_sandbox.control("GET", "/faults"), own_sandbox.log()
    clock = own_sandbox.control("GET", "/health")

    own_sandbox.stop(kill=kill)
    own_sandbox.start()

    assert (truth(early), truth(late)) == before[:2]
    faults = own_sandbox.control("GET", "/faults")["data"]
    assert [(fault["kind"], fault["count"]) for fault in faults] == [("status:503", 2), ("throttle", None)]
    assert own_sandbox.log()[: len(before[3])] == before[3]
    assert own_sandbox.control("GET", "/health")["virtual_now"] == clock["virtual_now"]
    assert clock["offset_seconds"] == pytest.approx(5 * DAY, abs=30)


def test_an_enrolment_is_the_same_whether_it_was_looked_at_or_not(tmp_path: Any) -> None:
    states = []
    for peeks in (True, False):
        folder = tmp_path / str(peeks)
        folder.mkdir()
        genesis = {
            "n": 1,
            "at": 1_772_452_800.0,
            "provider": "",
            "op": "genesis",
            "args": {"seed": 3, "version": 1},
        }
        held = {"n": 2, "at": 1_772_452_800.0, "provider": "", "op": "clock", "args": {"running": False}}
        (folder / "journal.jsonl").write_text(f"{json.dumps(genesis)}\n{json.dumps(held)}\n")
        with SandboxProcess(folder, seed=3) as process:
            for _ in range(6):
                process.advance(7 * 3_600)
                if peeks:
                    process.teller_state("test_tkn_same")
            state = process.teller_state("test_tkn_same")
            states.append(json.loads(json.dumps(state).replace(process.url, "")))
    assert states[0] == states[1]


def test_a_torn_last_line_is_cut_off(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    bank = own_bank("torn")
    bank.steer(bank.account(), "add", amount="-1.00", transaction_id="txn_kept")
    own_sandbox.stop(kill=True)
    journal = own_sandbox.folder / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(b'{"n":3,"at":17')
    with (own_sandbox.folder / "log.jsonl").open("ab") as file:
        file.write(b'{"sequ')
    own_sandbox.start()
    assert "txn_kept" in {row["id"] for row in bank.rows(bank.account())}
    assert journal.read_bytes().endswith(b"}\n")
    bank.steer(bank.account(), "add", amount="-2.00", transaction_id="txn_after")
    own_sandbox.stop(kill=True)
    own_sandbox.start()
    assert {"txn_kept", "txn_after"} <= {row["id"] for row in bank.rows(bank.account())}


def test_what_was_acknowledged_before_a_kill_is_there_after_it(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    bank = own_bank("killed")
    account = bank.account()
    acknowledged: list[str] = []

    def keep_adding() -> None:
        with contextlib.suppress(httpx.TransportError):
            while True:
                row = bank.steer(account, "add", amount="-1.00", status="posted")
                acknowledged.append(row["id"])

    for delay in (0.001, 0.003, 0.007):
        wanted = len(acknowledged) + 5
        thread = threading.Thread(target=keep_adding)
        thread.start()
        deadline = time.monotonic() + 20
        while len(acknowledged) < wanted and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(delay)
        own_sandbox.stop(kill=True)
        thread.join()
        own_sandbox.start()
    rows = bank.rows(account)
    assert len(acknowledged) > 10
    assert set(acknowledged) <= {row["id"] for row in rows}
    assert bank.state()["balances"][account]["ledger"] == next(
        row["running_balance"] for row in rows if row["status"] == "posted"
    )


def test_damage_elsewhere_and_another_seed_refuse_to_start(own_sandbox: SandboxProcess) -> None:
    own_sandbox.advance(5)
    own_sandbox.stop()
    arguments = ("--port", str(free_port()), "--state", str(own_sandbox.folder))
    assert run(*arguments, "--seed", "8").stderr == (
        f"The state in {own_sandbox.folder} was made with --seed 7, not 8.\n"
    )
    journal = own_sandbox.folder / "journal.jsonl"
    journal.write_bytes(b"?" + journal.read_bytes())
    result = run(*arguments)
    assert result.returncode == 1
    assert result.stderr == f"Line 1 of {journal} is damaged.\n"


def test_the_seed_makes_the_data(tmp_path: Any) -> None:
    ids: list[str] = []
    for seed in (1, 1, 2):
        with SandboxProcess(tmp_path / str(len(ids)), seed=seed) as process:
            ids.append(process.teller_state("test_tkn_acme")["enrollment_id"])
    assert ids[0] == ids[1] != ids[2]
