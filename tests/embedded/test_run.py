"""What keeps `make run` from starting is one sentence and exit code 1."""

import base64
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finops.demo_file import PARTS, one_time_code, write_demo
from finops.embedded.home import Home
from finops.embedded.ports import choose
from tests.embedded.conftest import PROJECT

pytestmark = pytest.mark.no_database

OURS = ("DATABASE_", "REDIS_", "BROKER_", "FINOPS_", "DJANGO_", "PYTEST_")


def environment_of(home: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a platform of its own: nothing of the tests' engines is in it."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**outside, "FINOPS_HOME": str(home), **settings}


def finops(command: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    ports = {"FINOPS_PORT": str(choose()), "FINOPS_SANDBOX_PORT": str(choose())}
    return subprocess.run(
        [sys.executable, "-m", "finops", command],
        env=environment_of(home, **{**ports, **settings}),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("setting", ["FINOPS_PORT", "FINOPS_SANDBOX_PORT"])
def test_a_port_in_use(home_path: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        ended = finops("run", home_path, **{setting: str(port)})
    assert ended.returncode == 1
    assert ended.stdout == (
        f"finops   │ Port {port} is in use on 127.0.0.1: end the process that holds it, or set {setting} to another.\n"
    )


def test_a_second_supervisor(home_path: Path) -> None:
    first = Home(home_path)
    first.open()
    ended = finops("run", home_path)
    assert ended.returncode == 1
    assert ended.stdout == (
        f"finops   │ Another finops is running on {home_path}: stop it first, or set FINOPS_HOME to another folder.\n"
    )
    assert finops("reset", home_path).returncode == 1
    assert (home_path / "logs").exists()
    first.close()


def test_production_settings_without_their_urls(home_path: Path) -> None:
    ended = finops("run", home_path, DJANGO_SETTINGS_MODULE="finops.settings.production")
    assert ended.returncode == 1
    assert ended.stdout == (
        "finops   │ finops.settings.production never runs on embedded engines: "
        "set DATABASE_URL and REDIS_URL, or unset DJANGO_SETTINGS_MODULE.\n"
    )


def test_a_home_that_is_a_file(home_path: Path) -> None:
    (home_path / "file").touch()
    ended = finops("run", home_path / "file")
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"finops   │ Cannot write to {home_path / 'file'} (File exists): ")
    assert ended.stdout.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "reset"])
def test_a_folder_of_other_things(home_path: Path, command: str) -> None:
    (home_path / "thesis.txt").touch()
    ended = finops(command, home_path)
    assert ended.returncode == 1
    assert ended.stdout.removeprefix("finops   │ ") == (
        f"{home_path} holds files that are not finops's own: set FINOPS_HOME to a new or an empty folder.\n"
    )
    assert [path.name for path in home_path.iterdir()] == ["thesis.txt"]


def test_a_refused_start_creates_no_home(home_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        assert finops("run", home_path / "new", FINOPS_PORT=str(holder.getsockname()[1])).returncode == 1
    assert not (home_path / "new").exists()


def test_one_port_for_both(home_path: Path) -> None:
    ended = finops("run", home_path / "new", FINOPS_PORT="18000", FINOPS_SANDBOX_PORT="18000")
    assert ended.returncode == 1
    assert ended.stdout == (
        "finops   │ FINOPS_PORT and FINOPS_SANDBOX_PORT are both 18000: set one of them to another port.\n"
    )


def test_code_prints_the_staff_users_current_code(home_path: Path) -> None:
    ended = finops("code", home_path)
    assert (ended.returncode, ended.stdout) == (
        1,
        f"There is no {home_path / 'demo.json'}: start the platform with 'make run' first.\n",
    )
    staff = {"totp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"}
    write_demo(home_path / "demo.json", {**dict.fromkeys(PARTS), "staff": staff})
    codes = {one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", time.time() + ahead) for ahead in (0, 30)}
    ended = finops("code", home_path)
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0] in codes


# RFC 6238, appendix B, the last six digits.
@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (20000000000, "353130")]
)
def test_one_time_codes_are_the_standards(at: float, code: str) -> None:
    assert one_time_code(base64.b32encode(b"12345678901234567890").decode(), at) == code
    assert one_time_code(base64.b32encode(b"1234567890123456789").decode().rstrip("="), at) != code


def test_reset_deletes_what_finops_made_and_nothing_else(home_path: Path) -> None:
    home = Home(home_path)
    home.open()
    home.secret("valkey")
    home.close()
    (home_path / "postgres" / "data").mkdir(parents=True)
    (home_path / ".state.json.4711").touch()
    (home_path / "demo.json").touch()
    (home_path / "thesis.txt").touch()
    (home_path / "drafts").mkdir()
    ended = finops("reset", home_path)
    assert ended.returncode == 0
    assert ended.stdout == (
        f"Deleted the data in {home_path}; 'make run' starts with new data.\n"
        f"Left alone, since finops did not make it: drafts, thesis.txt.\n"
    )
    assert sorted(path.name for path in home_path.iterdir()) == [
        "drafts", "finops-home", "processes.lock", "supervisor.lock", "thesis.txt",
    ]  # fmt: skip


def test_reset_follows_no_link_out_of_the_home(home_path: Path) -> None:
    (home_path / "elsewhere").mkdir()
    (home_path / "elsewhere" / "data").touch()
    home = Home(home_path / "home")
    home.open()
    home.close()
    (home.path / "postgres").symlink_to(home_path / "elsewhere")
    assert finops("reset", home.path).returncode == 0
    assert (home_path / "elsewhere" / "data").exists()
    assert not (home.path / "postgres").is_symlink()


@pytest.mark.parametrize("missing", ["absent", "."])
def test_reset_of_nothing(home_path: Path, missing: str) -> None:
    ended = finops("reset", home_path / missing)
    assert (ended.returncode, ended.stdout) == (0, f"There is nothing at {home_path / missing}.\n")
