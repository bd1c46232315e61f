"""A database that other migrations built is recognised before anything is done to it."""

from pathlib import Path

import pytest

from finops.embedded.errors import EmbeddedError
from finops.embedded.fit import remember_fit, require_fit
from finops.embedded.home import Home

pytestmark = pytest.mark.no_database


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
