"""Every fault kind, what it matches, and how long it lasts."""

import json
import time

import httpx
import pytest

from tests.sandbox.conftest import Bank
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.no_database


def test_status_answers_in_the_providers_shape_without_performing(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    bank = own_bank("status")
    own_sandbox.fault("status:502", count=1, match="DELETE /accounts")
    answer = bank.delete("/accounts")
    assert answer.status_code == 502
    assert answer.json() == {"error": {"code": "bad_gateway", "message": "The financial institution is unavailable."}}
    assert bank.get("/accounts").status_code == 200
    entry = own_sandbox.log()[0]
    assert (entry["status"], entry["performed"], entry["fault"]) == (502, False, "status:502")


def test_a_gateways_timeout_comes_after_the_work_was_done(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    bank = own_bank("gateway")
    own_sandbox.fault("status:504", count=1, match="DELETE /accounts")
    assert bank.delete("/accounts").status_code == 504
    assert bank.get("/accounts").status_code == 403, "the enrolment was revoked all the same"
    entry = own_sandbox.log()[0]
    assert (entry["status"], entry["performed"], entry["fault"]) == (504, True, "status:504")


def test_throttle_speaks_the_providers_shape(sandbox: SandboxProcess, bank: Bank) -> None:
    sandbox.fault("throttle")
    answer = bank("throttle").get("/accounts")
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_requests"


def test_drop_response_performs_and_then_cuts_the_connection(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    bank = own_bank("drop")
    own_sandbox.fault("drop_response", count=1, match="DELETE /accounts")
    with pytest.raises(httpx.RemoteProtocolError):
        bank.delete("/accounts")
    assert bank.get("/accounts").status_code == 403, "the enrolment was revoked all the same"
    entry = own_sandbox.log()[0]
    assert (entry["status"], entry["performed"], entry["fault"]) == (204, True, "drop_response")


def test_delay_performs_and_answers_late(sandbox: SandboxProcess, bank: Bank) -> None:
    sandbox.fault("delay:400", count=2, match="GET /accounts")
    started = time.monotonic()
    assert bank("delay").get("/accounts").status_code == 200
    assert 0.4 <= time.monotonic() - started < 3
    with pytest.raises(httpx.ReadTimeout):
        bank("delay").get("/accounts", timeout=0.1)
    assert sandbox.log()[-1]["performed"] is True


def test_malformed_cuts_the_body_in_half(sandbox: SandboxProcess, bank: Bank) -> None:
    whole = bank("malformed").get("/accounts")
    sandbox.fault("malformed", count=1)
    cut = bank("malformed").get("/accounts")
    assert (cut.status_code, cut.headers["content-type"]) == (200, whole.headers["content-type"])
    assert cut.content == whole.content[: len(whole.content) // 2]
    with pytest.raises(json.JSONDecodeError):
        cut.json()


def test_duplicate_repeats_and_reorder_shuffles_the_rows_of_a_list(sandbox: SandboxProcess, bank: Bank) -> None:
    client = bank("rows")
    account = client.account()
    rows = client.rows(account, count=20)
    sandbox.fault("duplicate", count=1)
    assert client.rows(account, count=20) == [row for row in rows for _ in range(2)]
    sandbox.fault("reorder", count=1)
    shuffled = client.rows(account, count=20)
    assert shuffled != rows
    assert sorted(shuffled, key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])


def test_duplicate_leaves_an_object_without_lists_alone(sandbox: SandboxProcess, bank: Bank) -> None:
    client = bank("object")
    path = f"/accounts/{client.account()}/balances"
    before = client.get(path).json()
    sandbox.fault("duplicate", count=1)
    assert client.get(path).json() == before
    assert sandbox.control("GET", "/faults")["data"] == []


def test_match_sees_the_method_the_path_without_prefix_and_the_query(sandbox: SandboxProcess, bank: Bank) -> None:
    client = bank("match")
    account = client.account()
    oldest = client.rows(account)[-1]["id"]
    sandbox.fault("status:500", match="GET /accounts/")
    sandbox.fault("status:418", match="/transactions?from_id=")
    assert client.get("/accounts").status_code == 200
    assert client.get(f"/accounts/{account}/balances").status_code == 500
    sandbox.clear_faults()
    sandbox.fault("status:418", match="/transactions?from_id=")
    assert client.get(f"/accounts/{account}/transactions").status_code == 200
    assert client.get(f"/accounts/{account}/transactions", params={"from_id": oldest}).status_code == 418


def test_count_limits_and_the_oldest_fault_acts_first(sandbox: SandboxProcess, bank: Bank) -> None:
    client = bank("count")
    sandbox.fault("status:503", count=2)
    sandbox.fault("status:502", count=1)
    assert [client.get("/accounts").status_code for _ in range(4)] == [503, 503, 502, 200]


def test_rate_is_a_share_of_the_matching_exchanges(sandbox: SandboxProcess, bank: Bank) -> None:
    client = bank("rate")
    sandbox.fault("status:503", rate=0.5)
    statuses = [client.get("/accounts").status_code for _ in range(200)]
    assert 70 <= statuses.count(503) <= 130
    assert statuses.count(503) + statuses.count(200) == 200


def test_clear_takes_one_provider_or_all(sandbox: SandboxProcess) -> None:
    sandbox.fault("throttle")
    assert httpx.delete(f"{sandbox.url}/_control/faults", verify=False, params={"provider": "teller"}).json() == {
        "cleared": 1
    }
    assert httpx.delete(f"{sandbox.url}/_control/faults", verify=False, params={"provider": "x"}).status_code == 400
    assert sandbox.control("DELETE", "/faults") == {"cleared": 0}
