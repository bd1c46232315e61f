"""A database that other migrations built is recognised before anything is done to it."""

from pathlib import Path

import pytest

from finops.embedded.errors import EmbeddedError
from finops.embedded.fit import is_current, remember_fit, require_fit
from finops.embedded.home import Home
from tests import databases
from tests.embedded.conftest import PROJECT


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    return home


@pytest.fixture
def migration(tmp_path: Path) -> Path:
    file = tmp_path / "apps" / "orders" / "migrations" / "0001_orders.py"
    file.parent.mkdir(parents=True)
    file.write_text("operations = ['orders']\n")
    return file


def test_a_new_home_and_new_migrations_fit(home: Home, migration: Path, tmp_path: Path) -> None:
    require_fit(home, tmp_path)
    remember_fit(home, tmp_path)
    migration.with_name("0002_fills.py").write_text("operations = ['fills']\n")
    require_fit(home, tmp_path)


def test_comments_and_blank_lines_change_nothing(home: Home, migration: Path, tmp_path: Path) -> None:
    remember_fit(home, tmp_path)
    migration.write_text("# Orders.\n\n\noperations = ['orders']  # all of them\n")
    require_fit(home, tmp_path)


@pytest.mark.parametrize("edit", [lambda file: file.write_text("operations = []\n"), Path.unlink])
def test_an_applied_migration_that_changed_or_vanished_asks_for_a_reset(
    home: Home, migration: Path, tmp_path: Path, edit: object
) -> None:
    remember_fit(home, tmp_path)
    edit(migration)  # type: ignore[operator]
    with pytest.raises(EmbeddedError) as refused:
        require_fit(home, tmp_path)
    assert str(refused.value) == (
        f"The database in {home.path} was built by migrations that have changed since (orders/0001_orders): "
        f"run 'make reset' to start with a new one, which deletes its data."
    )


def test_migrating_is_left_out_only_when_nothing_that_shapes_the_database_changed(
    home: Home, migration: Path, tmp_path: Path, process_environment: dict[str, str]
) -> None:
    url = process_environment["DATABASE_OWNER_URL"]
    assert is_current(home, PROJECT, url) is False
    remember_fit(home, PROJECT)
    assert is_current(home, PROJECT, url) is True
    (tmp_path / "requirements").mkdir()
    lock = tmp_path / "requirements" / "base.txt"
    lock.write_text("django==5.2\n")
    remember_fit(home, tmp_path)
    assert is_current(home, tmp_path, url) is False, "the database does not know orders/0001_orders"
    migration.unlink()
    remember_fit(home, tmp_path)
    assert is_current(home, tmp_path, url) is True
    lock.write_text("django==5.3\n")
    assert is_current(home, tmp_path, url) is False


def test_a_new_database_is_migrated_whatever_the_home_remembers(home: Home) -> None:
    remember_fit(home, PROJECT)
    assert is_current(home, PROJECT, databases.url("owner", "postgres")) is False
