"""The process itself: starting, stopping, the log, and control requests that are wrong."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import Bank
from tests.sandbox_process import ROOT, SandboxProcess, free_port

pytestmark = pytest.mark.no_database


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_health_names_the_providers_and_the_clock(sandbox: SandboxProcess) -> None:
    health = sandbox.control("GET", "/health")
    assert health["status"] == "ok"
    assert health["providers"] == ["alpaca", "pwnedpasswords", "teller"]
    assert health["clock_running"] is True


def test_a_port_in_use_is_one_sentence_and_exit_code_1(sandbox: SandboxProcess, tmp_path: Path) -> None:
    result = run("--port", str(sandbox.port), "--state", str(tmp_path / "other"))
    assert result.returncode == 1
    assert result.stderr == f"Port {sandbox.port} is in use: choose another with --port.\n"


def test_two_processes_cannot_share_a_state(sandbox: SandboxProcess) -> None:
    result = run("--port", str(free_port()), "--state", str(sandbox.folder))
    assert result.returncode == 1
    assert result.stderr == f"Another sandbox is using the state in {sandbox.folder}.\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--client-ca", "ca.pem"], "--client-ca needs --tls-cert and --tls-key."),
        (["--tls-cert", "cert.pem"], "--tls-cert and --tls-key belong together."),
        (["--tls-cert", "missing.pem", "--tls-key", "missing.pem"], "The TLS files cannot be used"),
    ],
)
def test_tls_options_that_do_not_fit_are_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    result = run("--port", str(free_port()), "--state", str(tmp_path / "state"), *arguments)
    assert result.returncode == 1
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly_even_while_an_answer_is_delayed(number: signal.Signals, tmp_path: Path) -> None:
    with SandboxProcess(tmp_path / "state") as process:
        process.fault("delay:60000", match="GET /accounts")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{process.url}/teller/accounts", verify=False, timeout=0.3)
        started = time.monotonic()
        assert process.end(number) == 0
        assert time.monotonic() - started < 5


def test_the_log_tells_what_a_provider_received(own_sandbox: SandboxProcess, own_bank: Bank) -> None:
    bank = own_bank("log")
    bank.get("/accounts", params={"x": "1"})
    bank.post("/accounts", json={"a": [1]})
    first, second = own_sandbox.log()
    assert first.pop("at").endswith("Z")
    assert first == {
        "sequence": 1,
        "provider": "teller",
        "method": "GET",
        "path": "/accounts",
        "query": {"x": "1"},
        "request": None,
        "status": 200,
        "performed": True,
        "fault": None,
    }
    assert (second["status"], second["performed"], second["request"]) == (405, False, {"a": [1]})
    later = httpx.get(f"{own_sandbox.url}/_control/log", verify=False, params={"since": "1"}).json()["data"]
    assert [entry["sequence"] for entry in later] == [2]


def test_paths_of_no_provider_are_404_and_not_logged(own_sandbox: SandboxProcess) -> None:
    assert httpx.get(f"{own_sandbox.url}/nobody/accounts", verify=False).status_code == 404
    assert own_sandbox.log() == []


def test_credentials_of_a_label_are_those_that_the_enrolment_answers_to(sandbox: SandboxProcess, bank: Bank) -> None:
    answer = httpx.get(f"{sandbox.url}/_control/credentials", verify=False, params={"label": "globex"}).json()
    assert answer["teller"]["access_token"] == "test_tkn_globex"
    accounts = bank("globex").get("/accounts").json()
    assert {account["enrollment_id"] for account in accounts} == {answer["teller"]["enrollment_id"]}


BAD_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "throttle"}, "provider"),
    ({"provider": "nobody", "kind": "throttle"}, "provider"),
    ({"provider": "teller"}, "kind"),
    ({"provider": "teller", "kind": "explode"}, "kind"),
    ({"provider": "teller", "kind": "status:200"}, "kind"),
    ({"provider": "teller", "kind": "status:"}, "kind"),
    ({"provider": "teller", "kind": "delay:-1"}, "kind"),
    ({"provider": "teller", "kind": "throttle", "rate": 1.5}, "rate"),
    ({"provider": "teller", "kind": "throttle", "rate": 0}, "rate"),
    ({"provider": "teller", "kind": "throttle", "rate": "1"}, "rate"),
    ({"provider": "teller", "kind": "throttle", "rate": 1, "count": 1}, "rate"),
    ({"provider": "teller", "kind": "throttle", "count": 0}, "count"),
    ({"provider": "teller", "kind": "throttle", "count": 1.5}, "count"),
    ({"provider": "teller", "kind": "throttle", "count": True}, "count"),
    ({"provider": "teller", "kind": "throttle", "match": 3}, "match"),
    ({"provider": "teller", "kind": "throttle", "pattern": "x"}, "pattern"),
]


@pytest.mark.parametrize(("body", "field"), BAD_FAULTS)
def test_a_fault_that_cannot_be_is_a_400_that_names_the_field(
    sandbox: SandboxProcess, body: dict[str, Any], field: str
) -> None:
    answer = httpx.post(f"{sandbox.url}/_control/faults", verify=False, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
    assert sandbox.control("GET", "/faults")["data"] == []


@pytest.mark.parametrize("body", [{}, {"seconds": "60"}, {"seconds": -1}, {"seconds": 1e12}])
def test_an_advance_that_cannot_be_is_a_400(sandbox: SandboxProcess, body: dict[str, Any]) -> None:
    answer = httpx.post(f"{sandbox.url}/_control/advance", verify=False, json=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "seconds")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_control_body_that_is_not_an_object_is_a_400(sandbox: SandboxProcess, body: bytes) -> None:
    answer = httpx.post(f"{sandbox.url}/_control/faults", verify=False, content=body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "")
    assert httpx.get(f"{sandbox.url}/_control/nothing", verify=False).json() == {
        "error": {"field": "", "message": "Not Found"}
    }
