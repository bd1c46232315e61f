"""The home is private, has one supervisor at a time, and says in one sentence what is wrong with it."""

import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from finops.embedded.errors import HomeUnusable
from finops.embedded.home import Home

pytestmark = pytest.mark.no_database


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_secrets_are_made_once_and_readable_by_their_owner_alone(home: Home) -> None:
    home.open()
    first = home.secret("valkey")
    home.close()
    assert Home(home.path).secret("valkey") == first
    assert len(first) == 32
    assert (home.path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((home.path / "secrets.json").read_text()) == {"valkey": first}


def test_a_second_supervisor_is_refused(home: Home) -> None:
    home.open()
    with pytest.raises(HomeUnusable) as refused:
        Home(home.path).open()
    assert str(refused.value) == (
        f"Another finops is running on {home.path}: stop it first, or set FINOPS_HOME to another folder."
    )
    home.close()
    Home(home.path).open()


def test_what_a_killed_supervisor_left_is_waited_for(home: Home) -> None:
    home.open()
    home.close()
    leftover = os.open(home.path / "processes.lock", os.O_RDWR)
    fcntl.flock(leftover, fcntl.LOCK_EX)
    ending = threading.Timer(0.4, os.close, [leftover])
    ending.start()
    home.open()
    assert not ending.is_alive()
    ending.join()


def test_a_disk_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        HomeUnusable, match=r"^The disk under .* has \d+ MB free and finops needs 1048576000 MB: make room"
    ):
        Home(tmp_path, minimum_free_bytes=1000 * 2**40).open()


def test_a_place_that_cannot_hold_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match=r"^Cannot write to .*/file/home \(Not a directory\): make it writable"):
        Home(tmp_path / "file" / "home").open()


def test_a_damaged_file_is_named(home: Home) -> None:
    home.open()
    (home.path / "secrets.json").write_text("{")
    with pytest.raises(HomeUnusable, match=r"secrets\.json is damaged .*: restore it, or run 'make reset'\.$"):
        home.secret("valkey")


def test_a_folder_of_other_things_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    mode = tmp_path.stat().st_mode
    with pytest.raises(HomeUnusable) as refused:
        Home(tmp_path).open()
    assert str(refused.value) == (
        f"{tmp_path} holds files that are not finops's own: set FINOPS_HOME to a new or an empty folder."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode == mode


def test_an_empty_folder_is_claimed_and_stays_ours_whatever_is_added(tmp_path: Path) -> None:
    first = Home(tmp_path)
    assert not first.is_claimed
    first.open()
    assert first.is_claimed
    first.close()
    (tmp_path / "thesis.txt").touch()
    Home(tmp_path).open()


def test_a_home_from_before_the_marker_is_known_by_holding_nothing_else(home: Home) -> None:
    home.open()
    home.secret("valkey")
    home.close()
    (home.path / "finops-home").unlink()
    Home(home.path).open()
    assert (home.path / "finops-home").exists()
    (home.path / "finops-home").unlink()
    (home.path / "thesis.txt").touch()
    with pytest.raises(HomeUnusable, match="holds files that are not finops's own"):
        Home(home.path).open()


def test_writing_replaces_a_file_as_a_whole(home: Home) -> None:
    home.open()
    home.write("state.json", {"a": "1"})
    home.write("state.json", {"b": "2"})
    assert home.read("state.json") == {"b": "2"}
    assert sorted(path.name for path in home.path.iterdir() if path.is_file()) == [
        "finops-home", "processes.lock", "state.json", "supervisor.lock",
    ]  # fmt: skip
